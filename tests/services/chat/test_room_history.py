"""The history of a room, its share of the memory, and what goes to the disk."""

from pathlib import Path

from sockctl.services.chat.history import History, HistoryBudget
from sockctl.services.chat.room_history import RoomHistory
from sockctl.services.chat.store import ChatStore
from tests.support.chat_history import ids
from tests.support.chat_room import said


def test_what_is_remembered_is_on_the_disk_and_within_the_budget(tmp_path: Path) -> None:
    store = ChatStore(tmp_path, history=100, on_failure=lambda _why, _count: None)
    store.start()
    budget = HistoryBudget(4_000)
    history = RoomHistory("#lobby", History(max_messages=100), store=store, budget=budget)
    for number in range(1, 31):
        history.add([said(number, "x" * 40)])
    assert budget.surplus_bytes == 0
    assert history.size_bytes <= 4_000
    kept = [one.id for one in history.list_all()]
    assert kept == list(range(31 - len(kept), 31))
    history.forget_oldest(1)
    assert len(history) == len(kept) - 1
    told, missed = history.select_unseen(28)
    assert ([one.id for one in told], missed) == ([29, 30], False)
    store.close()
    assert ids(tmp_path / "chat-history.jsonl")["#lobby"][-2:] == [29, 30]
    history.forget()
    assert (len(history), history.size_bytes, budget.surplus_bytes) == (0, 0, 0)
