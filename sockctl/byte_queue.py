"""A queue between threads that is bounded in bytes: it drops and counts items that don't fit, so no thread waits."""

import queue
import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class ByteQueue(Generic[T]):
    """Carries items from any thread to the one that fetches them, in order.

    Args:
        capacity_bytes: The most bytes of all waiting items together; a single item may have more.
    """

    def __init__(self, *, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._items: queue.SimpleQueue[tuple[T, int] | None] = queue.SimpleQueue()  # None is the end
        self._lock = threading.Lock()  # guards the two below
        self._bytes = 0
        self._dropped = 0

    def put(self, item: T, size_bytes: int) -> bool:
        """Add an item, or drop and count it if it doesn't fit; return whether it was added. Never blocks."""
        with self._lock:
            fits = not self._bytes or self._bytes + size_bytes <= self._capacity_bytes
            if fits:
                self._bytes += size_bytes
            else:
                self._dropped += 1
        if fits:
            self._items.put((item, size_bytes))
        return fits

    def fetch(self, *, count: int, size_bytes: int, timeout_s: float | None = None) -> tuple[list[T], bool]:
        """Wait for an item, and return the items in front, and whether the end came.

        Args:
            count: The most items.
            size_bytes: The bytes at which no further item is fetched; the last one may exceed them.
            timeout_s: Seconds to wait for the first item; None for no limit.
        """
        taken: list[T] = []
        bytes_taken = 0
        ended = False
        try:
            pair = self._items.get(timeout=timeout_s)
            while True:
                if pair is None:
                    ended = True
                else:
                    taken.append(pair[0])
                    bytes_taken += pair[1]
                    if len(taken) >= count or bytes_taken >= size_bytes:
                        break
                pair = self._items.get_nowait()
        except queue.Empty:
            pass
        with self._lock:
            self._bytes -= bytes_taken
        return taken, ended

    @property
    def waiting_bytes(self) -> int:
        """The bytes of the items that wait; any thread may ask."""
        return self._bytes

    def pop_dropped(self) -> int:
        """Return how many items were dropped since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self) -> None:
        """Put the end behind the items that wait."""
        self._items.put(None)
