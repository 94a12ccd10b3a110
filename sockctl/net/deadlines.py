"""The deadlines of many connections in one structure.

A heap finds the next deadline, and a dict has the valid ones. To move or discard a deadline only changes the dict. The
old entry stays in the heap until it comes up, or until more than half of the entries are out of date: then the heap is
built anew. So each step costs little, and closed connections don't pile up behind deadlines that are hours away.
"""

import heapq
import itertools
import math
from typing import Generic, TypeVar

T = TypeVar("T")
SPARE_ENTRIES = 64
"""Out-of-date entries for which the heap is never built anew."""


class Deadlines(Generic[T]):
    """At most one deadline for each item, in seconds of a monotonic clock. Not thread-safe."""

    def __init__(self) -> None:
        self._at: dict[T, float] = {}
        self._heap: list[tuple[float, int, T]] = []
        self._order = itertools.count()  # decides between equal deadlines, since items can't be compared

    def __len__(self) -> int:
        return len(self._at)

    def set(self, item: T, at: float) -> None:
        """Set the deadline of `item` in place of the last one."""
        self._at[item] = at
        heapq.heappush(self._heap, (at, next(self._order), item))
        if len(self._heap) > 2 * len(self._at) + SPARE_ENTRIES:
            self._heap = [(at, next(self._order), item) for item, at in self._at.items()]
            heapq.heapify(self._heap)

    def discard(self, item: T) -> None:
        """Forget the deadline of `item`, if it has one."""
        self._at.pop(item, None)

    def find(self, item: T) -> float:
        """Return the deadline of `item`; infinity if it has none."""
        return self._at.get(item, math.inf)

    def find_next_at(self) -> float:
        """Return the earliest deadline; infinity if there is none."""
        while self._heap:
            at, _, item = self._heap[0]
            if self._at.get(item) == at:
                return at
            heapq.heappop(self._heap)
        return math.inf

    def remove_expired(self, now: float) -> list[T]:
        """Remove and return the items whose deadline has come, earliest first."""
        expired = []
        while self.find_next_at() <= now:
            item = heapq.heappop(self._heap)[2]
            del self._at[item]
            expired.append(item)
        return expired
