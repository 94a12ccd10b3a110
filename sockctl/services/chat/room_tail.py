"""The last messages of one room."""

from collections import deque
from collections.abc import Iterable

__all__ = ["RoomTail"]


class RoomTail:
    """The last messages of a room: JSON texts in UTF-8 with growing ids. Not thread-safe.

    Args:
        history: How many are kept.
    """

    __slots__ = ("first_id", "frames", "last_id")

    def __init__(self, history: int) -> None:
        self.frames: deque[bytes] = deque(maxlen=history)
        self.first_id = self.last_id = 0  # of what was added, be it still kept or not

    def add(self, first_id: int, last_id: int, frames: Iterable[bytes]) -> None:
        """Add messages; if their ids don't grow, the room was made anew, and what was said before is forgotten."""
        if first_id <= self.last_id:
            self.frames.clear()
            self.first_id = 0
        self.frames.extend(frames)
        self.first_id = self.first_id or first_id
        self.last_id = last_id
