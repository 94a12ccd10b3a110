"""The history of one room: it keeps to the budget of all rooms, and hands its messages to the store."""

from collections.abc import Sequence
from typing import Protocol

from sockctl.services.chat.history import JOINING_BYTES, History, HistoryBudget
from sockctl.services.chat.history_entry import HistoryEntry
from sockctl.services.chat.state import ChatState


class Store(Protocol):
    """Saves the last messages of each room. Any thread may use it; it never blocks.

    Attributes:
        state: The topics, bans and mutes.
    """

    state: ChatState

    def add_messages(self, room: str, first_id: int, frames: Sequence[bytes], *, remembered: int) -> None:
        """Add messages of a room, of which `first_id` is the id of the first."""

    def keep_last(self, room: str, remembered: int) -> None:
        """Forget all but the last messages of a room."""

    def forget(self, room: str) -> None:
        """Forget the messages of a room."""


class RoomHistory:
    """The last messages of a room. Not thread-safe: the room's lock guards it.

    Args:
        room: The room's name.
        history: The messages that the store has loaded; it limits the number of messages.
        store: Saves the messages; its lock is a leaf below the room's.
        budget: Counts the memory of all histories.
    """

    def __init__(self, room: str, history: History, *, store: Store, budget: HistoryBudget) -> None:
        self._room = room
        self._history = history
        self._store = store
        self._budget = budget
        budget.add(history.size_bytes)

    def __len__(self) -> int:
        return len(self._history)

    @property
    def size_bytes(self) -> int:
        """The memory that the messages take."""
        return self._history.size_bytes

    def list_all(self) -> list[HistoryEntry]:
        """Return all messages."""
        return self._history.list_all()

    def select_unseen(self, after: int, *, most_bytes: int = JOINING_BYTES) -> tuple[list[HistoryEntry], bool]:
        """Return the messages for a joining client, and whether the client has missed others."""
        return self._history.select_unseen(after, most_bytes=most_bytes)

    def add(self, entries: Sequence[HistoryEntry]) -> None:
        """Add messages, as far as the budget allows, and save them."""
        history = self._history
        before = history.size_bytes
        history.extend(entries)
        beyond = self._budget.add(history.size_bytes - before)
        if beyond and (own := history.size_bytes - self._budget.share_bytes) > 0:
            self._budget.add(-history.forget_oldest(min(beyond, own)))
        stored = [one.json for one in entries]
        self._store.add_messages(self._room, entries[0].id, stored, remembered=len(history))

    def forget(self) -> None:
        """Forget all messages."""
        if len(self._history):
            self._budget.add(-self._history.forget_oldest(self._history.size_bytes))
            self._store.forget(self._room)

    def miss(self, last_id: int) -> None:
        """Forget all messages here, and not in the store: some up to an id were never heard."""
        self._budget.add(-self._history.miss(last_id))

    def forget_oldest(self, size_bytes: int) -> None:
        """Forget the oldest messages until `size_bytes` bytes are free."""
        self._budget.add(-self._history.forget_oldest(size_bytes))
        self._store.keep_last(self._room, len(self._history))
