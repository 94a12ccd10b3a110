"""The last messages of one room, in memory: those that the room sends to members, and those that wait for the disk."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from sockctl.services.chat.history_entry import HistoryEntry
from sockctl.services.chat.member import NOTHING

SHOWN = 20
"""Lines that a room sends to a joining client; more where the first of them is part of a block."""
MISSED_BYTES = 131_072
"""Bytes of further messages for a returning client that has missed them."""
JOINING_BYTES = 262_144
"""Bytes of messages for a joining client, all its rooms together: they wait in memory."""
OVERHEAD_BYTES = 256
"""Memory of a remembered message beyond its text: the objects that hold it and name it (CPython 3.11)."""


def count_held_bytes(json: bytes) -> int:
    """Return the memory of a remembered message."""
    return len(json) + OVERHEAD_BYTES


class HistoryBudget:
    """Counts the memory of the histories of all rooms together. Any thread may use it.

    Args:
        most_bytes: The memory that they may take.
        share_bytes: The memory that one room may always take: longer histories give way to it.

    Attributes:
        share_bytes: See the argument.
        used_bytes: The memory of all histories now.
    """

    def __init__(self, most_bytes: int, *, share_bytes: int = 0) -> None:
        self._most_bytes = most_bytes
        self.share_bytes = share_bytes
        self._lock = threading.Lock()  # guards the next; a leaf
        self.used_bytes = 0

    def add(self, size_bytes: int) -> int:
        """Count more bytes, or fewer for a negative number; return how many bytes exceed the limit."""
        with self._lock:
            self.used_bytes += size_bytes
            return max(0, self.used_bytes - self._most_bytes)

    @property
    def surplus_bytes(self) -> int:
        """How many bytes exceed the limit."""
        return max(0, self.used_bytes - self._most_bytes)

    @property
    def is_tight(self) -> bool:
        """Whether less than a sixteenth of the limit is free."""
        return self.used_bytes > self._most_bytes - self._most_bytes // 16


class History:
    """The last messages of a room. Not thread-safe.

    Args:
        entries: The messages so far.
        max_messages: The most messages that are remembered.

    Attributes:
        forgotten_id: The id of the last message that was forgotten; 0 for none.
    """

    __slots__ = ("_entries", "_text_bytes", "forgotten_id")

    def __init__(self, entries: Sequence[HistoryEntry] = (), *, max_messages: int) -> None:
        self._entries = deque(entries, max_messages)
        self._text_bytes = sum(len(one.json) for one in self._entries)
        self.forgotten_id = 0
        if dropped := len(entries) - len(self._entries):
            self.forgotten_id = entries[dropped - 1].id
        elif entries and len(entries) == max_messages:  # there may have been earlier ones
            self.forgotten_id = entries[0].id - entries[0].lines

    @property
    def size_bytes(self) -> int:
        """The memory that the messages take."""
        return self._text_bytes + len(self._entries) * OVERHEAD_BYTES

    def __len__(self) -> int:
        return len(self._entries)

    def extend(self, new: Sequence[HistoryEntry]) -> None:
        """Remember more messages, and forget the oldest beyond the limit."""
        entries = self._entries
        most = entries.maxlen or 0
        dropped = len(entries) + len(new) - most
        if dropped > 0:
            self.forgotten_id = (
                entries[dropped - 1] if dropped <= len(entries) else new[dropped - len(entries) - 1]
            ).id
            self._text_bytes -= sum([len(one.json) for one in islice(entries, dropped)])
        if len(new) > most:
            new = new[len(new) - most :]
        entries.extend(new)
        self._text_bytes += sum([len(one.json) for one in new])

    def forget_oldest(self, size_bytes: int) -> int:
        """Forget the oldest messages until `size_bytes` are free, or none is left; return how many bytes are free."""
        before = self.size_bytes
        while self._entries and before - self.size_bytes < size_bytes:
            forgotten = self._entries.popleft()
            self.forgotten_id = forgotten.id
            self._text_bytes -= len(forgotten.json)
        return before - self.size_bytes

    def miss(self, last_id: int) -> int:
        """Forget all messages, as some up to an id were never heard; return how many bytes are free."""
        free = self.forget_oldest(self.size_bytes)
        self.forgotten_id = max(self.forgotten_id, last_id)
        return free

    def list_all(self) -> list[HistoryEntry]:
        """Return all messages."""
        return list(self._entries)

    def select_unseen(self, after: int, *, most_bytes: int = JOINING_BYTES) -> tuple[list[HistoryEntry], bool]:
        """Return the messages for a joining client, and whether it has missed others, forgotten ones included.

        Args:
            after: The last id that the client has seen, or `NOTHING`.
            most_bytes: The most bytes of messages to return.
        """
        told: list[HistoryEntry] = []
        size = lines = 0
        for each in reversed(self._entries):
            if each.id <= after:
                more = False
                break
            one = each.cut_seen(after) if each.lines > 1 else each
            size += one.told_bytes
            if size > most_bytes or (lines >= SHOWN and (after == NOTHING or size > MISSED_BYTES)):
                more = after != NOTHING
                break
            lines += one.lines
            told.append(one)
        else:
            more = NOTHING < after < self.forgotten_id and bool(self._entries.maxlen)
        told.reverse()
        return told, more


class RecentMessages:
    """The last messages of a room for the disk: JSON texts in UTF-8 with growing ids. Not thread-safe.

    Args:
        max_messages: The most messages that are kept.

    Attributes:
        frames: The messages; only the methods change them.
        size_bytes: Their bytes.
        first_id: The id of the first message that was added, which may be gone by now.
        last_id: The id of the last one.
        forgotten: Whether the file must drop the messages before these.
    """

    __slots__ = ("first_id", "forgotten", "frames", "last_id", "size_bytes")

    def __init__(self, max_messages: int) -> None:
        self.frames: deque[bytes] = deque(maxlen=max_messages)
        self.size_bytes = 0
        self.forgotten = False
        self.first_id = self.last_id = 0

    def add(self, first_id: int, last_id: int, frames: Iterable[bytes]) -> None:
        """Add messages; ids that don't grow mean that the room is a new one: forget its earlier messages."""
        if first_id <= self.last_id:
            self.frames.clear()
            self.first_id = self.size_bytes = 0
        for frame in frames:
            if len(self.frames) == self.frames.maxlen:
                self.drop_first()
            self.frames.append(frame)
            self.size_bytes += len(frame)
        self.first_id = self.first_id or first_id
        self.last_id = last_id

    def drop_first(self) -> None:
        """Drop the oldest message."""
        if self.frames:
            self.size_bytes -= len(self.frames.popleft())

    def keep(self, count: int) -> None:
        """Forget all but the last `count` messages."""
        while len(self.frames) > count:
            self.drop_first()
