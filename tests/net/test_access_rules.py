"""Who may connect at all."""

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


def test_scope_does_not_matter() -> None:
    assert AccessRules(allow=["fe80::/10"]).lets_in("fe80::1%eth0")


@pytest.mark.parametrize("rule", ["here", "192.0.2.0/33", ""])
def test_bad_rules_are_named(rule: str) -> None:
    with pytest.raises(RuleError, match=f"--deny '{rule}'.*write 192"):
        AccessRules(deny=[rule])


def test_an_address_inside_a_network_is_told_the_network() -> None:
    with pytest.raises(RuleError, match=r"write 192\.0\.2\.0/24, or the address alone"):
        AccessRules(allow=["192.0.2.1/24"])
