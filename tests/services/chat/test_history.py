"""The history of a room in memory, and the budget of all histories."""

import pytest

from sockctl.services.chat.history import History, HistoryBudget, count_held_bytes
from sockctl.services.chat.history_entry import HistoryEntry


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
