"""The deadlines of many connections in one structure: when each one's time is up.

A heap finds the next deadline. Moving or discarding one only changes the dict that says what holds; the old entry stays
in the heap until it comes up, or until more entries are out of date than hold, when the heap is made anew. So every
step costs next to nothing, and connections that have ended don't pile up behind a deadline that is an hour away.
"""

import heapq
import itertools
import math
from typing import Generic, TypeVar

T = TypeVar("T")
SPARE_ENTRIES = 64
"""Out-of-date entries that are never worth making the heap anew for."""


class Deadlines(Generic[T]):
    """At most one deadline for each item, in seconds of a monotonic clock. Not thread-safe."""

    def __init__(self) -> None:
        self._at: dict[T, float] = {}
        self._heap: list[tuple[float, int, T]] = []
        self._order = itertools.count()  # decides between equal deadlines, since items can't be compared

    def __len__(self) -> int:
        return len(self._at)

    def set(self, item: T, at: float) -> None:
        """Give `item` the deadline `at` in place of the one it had."""
        self._at[item] = at
        heapq.heappush(self._heap, (at, next(self._order), item))
        if len(self._heap) > 2 * len(self._at) + SPARE_ENTRIES:
            self._heap = [(at, next(self._order), item) for item, at in self._at.items()]
            heapq.heapify(self._heap)

    def discard(self, item: T) -> None:
        """Forget the deadline of `item`, if it has one."""
        self._at.pop(item, None)

    def at(self, item: T) -> float:
        """Return the deadline of `item`; infinity where it has none."""
        return self._at.get(item, math.inf)

    def next_at(self) -> float:
        """Return the earliest deadline; infinity where there is none."""
        while self._heap:
            at, _, item = self._heap[0]
            if self._at.get(item) == at:
                return at
            heapq.heappop(self._heap)
        return math.inf

    def remove_expired(self, now: float) -> list[T]:
        """Remove and return the items whose deadline has come, earliest first."""
        expired = []
        while self.next_at() <= now:
            item = heapq.heappop(self._heap)[2]
            del self._at[item]
            expired.append(item)
        return expired
