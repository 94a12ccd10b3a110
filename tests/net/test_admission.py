import threading

import pytest

from sockctl.errors import RuleError
from sockctl.events.reasons import RefusalReason
from sockctl.net.admission import AccessRules, Admission

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


def test_limits() -> None:
    admission = Admission(AccessRules(deny=[C]), max_clients=3, max_clients_per_address=2)
    assert admission.enter(A) is None
    assert admission.enter(A) is None
    assert admission.enter(A) is RefusalReason.TOO_MANY_FROM_ADDRESS
    assert admission.enter(C) is RefusalReason.DENIED
    assert admission.enter(B) is None
    assert admission.enter("192.0.2.3") is RefusalReason.TOO_MANY_CLIENTS
    assert admission.clients == 3
    admission.leave(A)
    assert admission.enter(A) is None


def test_no_count_is_lost_between_threads() -> None:
    admission = Admission(AccessRules(), max_clients=10_000, max_clients_per_address=10_000)

    def come_and_go() -> None:
        for _ in range(2000):
            assert admission.enter(A) is None
            admission.leave(A)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert admission.clients == 0
