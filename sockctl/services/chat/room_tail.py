"""The last messages of one room."""

from collections import deque
from collections.abc import Iterable

__all__ = ["OVERHEAD_BYTES", "RecentMessages", "held_bytes"]

OVERHEAD_BYTES = 256
"""What a message that is remembered takes beyond its text: the objects that hold it and name it (CPython 3.11)."""


def held_bytes(json: bytes) -> int:
    """Return what a message takes of the memory while it is remembered."""
    return len(json) + OVERHEAD_BYTES


class RecentMessages:
    """The last messages of a room: JSON texts in UTF-8 with growing ids. Not thread-safe.

    Args:
        history: How many are kept.

    Attributes:
        frames: The messages; the methods alone change them.
        size_bytes: What they have together.
        first_id: The id of the first message that was added, be it still kept or not.
        last_id: The id of the last one.
        forgotten: Whether what was kept before these is to be forgotten.
    """

    __slots__ = ("first_id", "forgotten", "frames", "last_id", "size_bytes")

    def __init__(self, history: int) -> None:
        self.frames: deque[bytes] = deque(maxlen=history)
        self.size_bytes = 0
        self.forgotten = False
        self.first_id = self.last_id = 0  # of what was added, be it still kept or not

    def add(self, first_id: int, last_id: int, frames: Iterable[bytes]) -> None:
        """Add messages; if their ids don't grow, the room was made anew, and what was said before is forgotten."""
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
