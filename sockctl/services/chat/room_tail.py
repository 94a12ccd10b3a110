"""The last messages of one room."""

from collections import deque
from collections.abc import Iterable

__all__ = ["RoomTail"]


class RoomTail:
    """The last messages of a room: JSON texts in UTF-8 with growing ids. Not thread-safe.

    Args:
        history: How many are kept.

    Attributes:
        frames: The messages; `add` and `drop_first` alone change them.
        size_bytes: What they have together.
        first_id: The id of the first message that was added, be it still kept or not.
        last_id: The id of the last one.
    """

    __slots__ = ("first_id", "frames", "last_id", "size_bytes")

    def __init__(self, history: int) -> None:
        self.frames: deque[bytes] = deque(maxlen=history)
        self.size_bytes = 0
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
