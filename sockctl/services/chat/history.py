"""What was said in a room, as far as it is remembered, and how it is told later."""

import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from json import loads
from typing import NamedTuple

from sockctl.protocol.messages import Message
from sockctl.protocol.names import same_name_key
from sockctl.services.chat.clients import NOTHING
from sockctl.services.chat.room_tail import OVERHEAD_BYTES

__all__ = [
    "COMING_BYTES",
    "MISSED_BYTES",
    "SHOWN",
    "History",
    "HistoryBudget",
    "HistoryEntry",
    "audible",
    "past_messages",
    "read_past",
]

SHOWN = 20
"""How much of what was said before is told to those who come."""
MISSED_BYTES = 131_072
"""How much that is beyond it is told to those who were here before and have missed it."""
COMING_BYTES = 262_144
"""How much of what was said before a client is told when it comes, all its rooms together: it waits in the memory."""


class HistoryEntry(NamedTuple):
    """Something that was said.

    Attributes:
        id: Its id.
        json: The JSON text of its `say` message, as the members got it.
        key: The key of the name of who said it.
    """

    id: int
    json: bytes
    key: str

    def as_message(self, *, more: bool, again: bool) -> Message:
        """Return it as it is told later."""
        marks = {"more": more, "again": again}
        return Message(
            {**loads(self.json), "kind": "history", **{name: True for name, holds in marks.items() if holds}}
        )


def read_past(json: bytes) -> HistoryEntry:
    """Return what a kept message, which was checked, says."""
    fields = loads(json)
    return HistoryEntry(fields["id"], json, same_name_key(fields["sender"]))


def audible(past: Sequence[HistoryEntry], ignored: Collection[str]) -> Sequence[HistoryEntry]:
    """Return of what was said what those didn't say whose keys these are."""
    return [one for one in past if one.key not in ignored] if ignored else past


def past_messages(past: Sequence[HistoryEntry], *, again: bool = False) -> Iterator[Message]:
    """Return how a place is told what was said before."""
    for number, one in enumerate(past, 1):
        yield one.as_message(more=number < len(past), again=again)


class HistoryBudget:
    """What the histories of all rooms together take of the memory. Any thread may use it.

    Args:
        most_bytes: What they may take.
        share_bytes: What one may take whatever the others have: they make room for it.

    Attributes:
        share_bytes: As the argument.
    """

    def __init__(self, most_bytes: int, *, share_bytes: int = 0) -> None:
        self._most_bytes = most_bytes
        self.share_bytes = share_bytes
        self._lock = threading.Lock()  # guards the next; a leaf
        self._taken_bytes = 0

    def add(self, size_bytes: int) -> int:
        """Count bytes more, or fewer where it is negative; return how many there are too many."""
        with self._lock:
            self._taken_bytes += size_bytes
            return max(0, self._taken_bytes - self._most_bytes)

    @property
    def surplus_bytes(self) -> int:
        """How many bytes there are too many."""
        return max(0, self._taken_bytes - self._most_bytes)

    @property
    def is_tight(self) -> bool:
        """Whether less than a sixteenth is left."""
        return self._taken_bytes > self._most_bytes - self._most_bytes // 16


class History:
    """The last messages of a room. Not thread-safe.

    Args:
        past: What was said before.
        most: How many are remembered.
    """

    __slots__ = ("_past", "_text_bytes")

    def __init__(self, past: Iterable[HistoryEntry] = (), *, most: int) -> None:
        self._past = deque(past, most)
        self._text_bytes = sum(len(one.json) for one in self._past)

    @property
    def size_bytes(self) -> int:
        """What they take of the memory."""
        return self._text_bytes + len(self._past) * OVERHEAD_BYTES

    def __len__(self) -> int:
        return len(self._past)

    def extend(self, new: Sequence[HistoryEntry]) -> None:
        """Remember more; the oldest is forgotten where there are more than may be. For each message that is said."""
        past = self._past
        most = past.maxlen or 0
        if len(new) > most:
            new = new[len(new) - most :]
        dropped = len(past) + len(new) - most
        if dropped > 0:
            self._text_bytes -= sum([len(one.json) for one in islice(past, dropped)])
        past.extend(new)
        self._text_bytes += sum([len(one.json) for one in new])

    def forget_oldest(self, size_bytes: int) -> int:
        """Forget the oldest messages until so many bytes are free, or nothing is left; return how many are."""
        before = self.size_bytes
        while self._past and before - self.size_bytes < size_bytes:
            self._text_bytes -= len(self._past.popleft().json)
        return before - self.size_bytes

    def all(self) -> list[HistoryEntry]:
        """Return all that is remembered."""
        return list(self._past)

    def since(self, after: int, *, most_bytes: int = COMING_BYTES) -> tuple[list[HistoryEntry], bool]:
        """Return what whoever comes is told, of which it has seen what is not after `after`.

        With it, whether there is, or was, more that it hasn't seen: what it saw last may be forgotten by now.

        Args:
            after: The last id that it has seen, or `NOTHING`.
            most_bytes: How much it is told at most.
        """
        past = self._past
        told: list[HistoryEntry] = []
        size = 0
        for one in reversed(past):
            size += len(one.json)
            if one.id <= after:
                more = False
                break
            if size > most_bytes or (len(told) >= SHOWN and (after == NOTHING or size > MISSED_BYTES)):
                more = after != NOTHING
                break
            told.append(one)
        else:
            more = bool(past) and NOTHING < after < past[0].id - 1 and len(past) == past.maxlen
        told.reverse()
        return told, more
