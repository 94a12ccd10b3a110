"""What input may cost: for one connection, for an address, and for how long."""

import pytest

from sockctl.net.input_budget import ADDRESSES, QUANTUM_S, InputBudget, InputBudgets, InputRates

STRANGER = InputRates(rate=0.01, burst_s=0.1, address_rate=0.02, address_burst_s=0.2, flooding_s=30.0)
MEMBER = InputRates(rate=0.5, burst_s=1.0, address_rate=1.0, address_burst_s=2.0, flooding_s=60.0)


def budgets() -> InputBudgets:
    return InputBudgets(STRANGER, MEMBER)


def spend(budget: InputBudget, work_s: float, now: float) -> float:
    budget.work_s += work_s
    return budget.settle(now)


def test_work_within_the_burst_costs_no_waiting() -> None:
    budget = budgets().open("192.0.2.1")
    assert spend(budget, 0.1, now=5.0) == 0.0
    assert not budget.is_beyond


def test_work_beyond_it_waits_until_the_rate_has_paid_for_it() -> None:
    budget = budgets().open("192.0.2.1")
    assert spend(budget, 0.15, now=5.0) == pytest.approx(0.05 / 0.01)
    assert budget.is_beyond
    assert spend(budget, 0.01, now=10.0) == pytest.approx(0.01 / 0.01)
    assert spend(budget, 0.0, now=20.0) == 0.0
    assert not budget.is_beyond


def test_a_rest_fills_no_more_than_the_burst() -> None:
    budget = budgets().open("192.0.2.1")
    spend(budget, 0.1, now=5.0)
    assert spend(budget, 0.1, now=1_000_000.0) == 0.0
    assert spend(budget, 0.05, now=1_000_000.0) == pytest.approx(5.0)


def test_the_connections_of_an_address_share_a_budget() -> None:
    shared = budgets()
    three = [shared.open("192.0.2.1") for _ in range(3)]
    waits = [spend(one, 0.1, now=5.0) for one in three]
    assert waits[:2] == [0.0, 0.0]
    assert waits[2] == pytest.approx(0.1 / 0.02)
    assert spend(shared.open("192.0.2.2"), 0.1, now=5.0) == 0.0


def test_those_who_wait_for_an_address_are_let_go_one_after_the_other() -> None:
    shared = budgets()
    waits = [spend(shared.open("192.0.2.1"), 0.1, now=5.0) for _ in range(6)]
    assert waits == pytest.approx([0.0, 0.0, 5.0, 10.0, 15.0, 20.0])


def test_who_keeps_to_a_fair_share_waits_for_nobody_at_its_address() -> None:
    shared = budgets()
    polite = shared.open("192.0.2.1")
    for second in range(600):
        now = 5.0 + second
        for _ in range(10):
            spend(shared.open("192.0.2.1"), 0.1, now)
        if second % 10 == 0:
            assert spend(polite, QUANTUM_S, now) == 0.0
            assert not polite.is_beyond
            assert not polite.is_flooding


def test_the_wait_for_an_address_is_bounded() -> None:
    shared = budgets()
    for _ in range(1_000):
        spend(shared.open("192.0.2.1"), 0.1, now=5.0)
    assert spend(shared.open("192.0.2.1"), 0.1, now=5.0) == pytest.approx(STRANGER.address_wait_s)


def test_strangers_and_members_of_an_address_have_budgets_of_their_own() -> None:
    shared = budgets()
    for _ in range(5):
        spend(shared.open("192.0.2.1"), 0.1, now=5.0)
    member = shared.open("192.0.2.1")
    member.admit()
    assert spend(member, 1.0, now=5.0) == 0.0
    assert spend(member, 0.5, now=5.0) == pytest.approx(1.0)


def test_who_is_admitted_owes_nothing_for_what_was_before() -> None:
    budget = budgets().open("192.0.2.1")
    assert spend(budget, 5.0, now=5.0) > 0
    budget.admit()
    assert not budget.is_beyond
    assert spend(budget, 0.1, now=5.0) == 0.0


def test_who_is_beyond_it_all_the_time_floods() -> None:
    budget = budgets().open("192.0.2.1")
    for now in (5.0, 15.0, 34.9):
        assert spend(budget, 0.5, now) > 0
        assert not budget.is_flooding
    spend(budget, 0.5, now=35.0)
    assert budget.is_flooding


def test_who_has_rested_in_between_does_not_flood() -> None:
    budget = budgets().open("192.0.2.1")
    spend(budget, 0.2, now=5.0)
    assert budget.is_beyond
    spend(budget, 0.01, now=100.0)
    spend(budget, 0.2, now=101.0)
    assert budget.is_beyond
    spend(budget, 0.2, now=102.0)
    assert not budget.is_flooding


def test_little_work_is_not_settled() -> None:
    budget = budgets().open("192.0.2.1")
    budget.work_s = 0.9 * QUANTUM_S
    assert not budget.is_due
    budget.work_s += 0.1 * QUANTUM_S
    assert budget.is_due
    budget.settle(5.0)
    assert not budget.is_due


def test_addresses_that_owe_nothing_are_forgotten() -> None:
    shared = budgets()
    for number in range(2 * ADDRESSES):
        spend(shared.open(f"address {number}"), 0.1, now=float(number))
    assert len(shared) <= ADDRESSES + 1
    for number in range(3 * ADDRESSES):
        spend(shared.open(f"debtor {number}"), 1.0, now=5000.0)
    assert len(shared) >= 3 * ADDRESSES, "who owes something is not forgotten"
