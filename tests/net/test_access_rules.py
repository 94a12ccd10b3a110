"""Who may connect at all."""

import pwd

import pytest

from sockctl.errors import RuleError
from sockctl.net.access_rules import AccessRules

A, B, C = "192.0.2.1", "192.0.2.200", "2001:db8::1"


@pytest.mark.parametrize(
    ("allow", "deny", "let_in"),
    [
        ([], [], {A, B, C}),
        ([A], [], {A}),
        (["192.0.2.0/25"], [], {A}),
        ([], ["192.0.2.0/24"], {C}),
        ([A], ["192.0.2.0/24"], {A, C}),
        (["192.0.2.0/24"], [A], {A, B, C}),
        (["2001:db8::/32"], [], {C}),
        ([], ["0.0.0.0/0", "::/0"], set()),
    ],
)
def test_rules(allow: list[str], deny: list[str], let_in: set[str]) -> None:
    rules = AccessRules(allow=allow, deny=deny)
    assert {host for host in (A, B, C) if rules.lets_in(host)} == let_in


ANN, BOB = "uid:1000", "uid:1001"


@pytest.mark.parametrize(
    ("allow", "deny", "let_in"),
    [
        ([], [], {A, ANN, BOB}),
        ([ANN], [], {ANN}),
        ([A], [], {A}),
        ([A, ANN], [], {A, ANN}),
        ([], [ANN], {A, BOB}),
        ([], ["0.0.0.0/0"], {ANN, BOB}),
        ([ANN], [ANN, BOB], {A, ANN}),
    ],
)
def test_rules_for_users(allow: list[str], deny: list[str], let_in: set[str]) -> None:
    rules = AccessRules(allow=allow, deny=deny)
    assert {host for host in (A, ANN, BOB) if rules.lets_in(host)} == let_in


@pytest.mark.parametrize(
    ("allow", "deny", "let_in"),
    [([], [], {A, ANN}), ([BOB], [], {BOB}), ([], [BOB], {A, ANN}), ([], [ANN], {A}), ([ANN, BOB], [], {ANN, BOB})],
)
def test_users_whom_no_file_keeps_out(allow: list[str], deny: list[str], let_in: set[str]) -> None:
    rules = AccessRules(allow=allow, deny=deny, local_users=frozenset({0, 1000}))
    assert {host for host in (A, ANN, BOB) if rules.lets_in(host)} == let_in


def test_a_user_may_be_named() -> None:
    rules = AccessRules(allow=[f"uid:{pwd.getpwuid(0).pw_name}"])
    assert (rules.lets_in("uid:0"), rules.lets_in(ANN)) == (True, False)
    with pytest.raises(RuleError, match="--allow 'uid:no such' names no user of this machine"):
        AccessRules(allow=["uid:no such"])


def test_scope_does_not_matter() -> None:
    assert AccessRules(allow=["fe80::/10"]).lets_in("fe80::1%eth0")


@pytest.mark.parametrize("rule", ["here", "192.0.2.0/33", ""])
def test_bad_rules_are_named(rule: str) -> None:
    with pytest.raises(RuleError, match=f"--deny '{rule}'.*write 192"):
        AccessRules(deny=[rule])


def test_an_address_inside_a_network_is_told_the_network() -> None:
    with pytest.raises(RuleError, match=r"write 192\.0\.2\.0/24, or the address alone"):
        AccessRules(allow=["192.0.2.1/24"])
