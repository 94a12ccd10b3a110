"""The history of a room in memory, and the budget of all histories."""

import pytest

from sockctl.services.chat.history import History, HistoryBudget, count_held_bytes
from sockctl.services.chat.history_entry import HistoryEntry
from sockctl.services.chat.member import NOTHING


@pytest.mark.parametrize("most", [0, 1, 3, 100])
def test_a_history_knows_its_size(most: int) -> None:
    history = History(max_messages=most)
    for number in range(0, 10, 2):
        history.extend(
            [HistoryEntry(number, b"x" * number, "ann"), HistoryEntry(number + 1, b"x" * (number + 1), "ann")]
        )
        assert history.size_bytes == sum(count_held_bytes(one.json) for one in history.list_all())
    freed = history.forget_oldest(1_000)
    assert freed >= min(1_000, sum(count_held_bytes(b"x" * number) for number in range(10 - min(most, 10), 10)))
    assert history.size_bytes == sum(count_held_bytes(one.json) for one in history.list_all())


def test_a_budget_counts_back() -> None:
    budget = HistoryBudget(100)
    assert budget.add(90) == 0
    assert not budget.is_tight
    assert budget.add(20) == 10
    assert budget.is_tight
    assert budget.add(-110) == 0


def test_what_was_forgotten_is_missed_wherever_the_ids_lie() -> None:
    history = History(max_messages=2)
    for number in (10, 20, 30):
        history.extend([HistoryEntry(number, b"x", "ann")])
    assert history.forgotten_id == 10
    assert [history.select_unseen(after)[1] for after in (NOTHING, 0, 9, 10, 15, 20, 30)] == [
        *[False, True, True],
        *[False] * 4,
    ]
    history.forget_oldest(1)
    assert history.select_unseen(10) == ([HistoryEntry(30, b"x", "ann")], True)
    history.extend([HistoryEntry(number, b"x", "ann") for number in (40, 50, 60)])
    assert history.forgotten_id == 40


def test_a_history_that_was_loaded_knows_what_was_before_it() -> None:
    entries = [HistoryEntry(number, b"x", "ann") for number in (10, 20, 30)]
    assert History(entries, max_messages=2).forgotten_id == 10
    assert History(entries, max_messages=3).forgotten_id == 9
    assert History(entries, max_messages=4).forgotten_id == 0
