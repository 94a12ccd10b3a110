"""A queue between threads that is bounded in bytes: what doesn't fit is dropped and counted, and nobody waits."""

import queue
import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class ByteQueue(Generic[T]):
    """Carries items from any thread to the one that takes them, in order.

    Args:
        capacity_bytes: How many bytes the items that wait may have together; one alone may have more.
    """

    def __init__(self, *, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._items: queue.SimpleQueue[tuple[T, int] | None] = queue.SimpleQueue()  # None is the end
        self._lock = threading.Lock()  # guards the two below
        self._bytes = 0
        self._dropped = 0

    def put(self, item: T, size_bytes: int) -> bool:
        """Add an item, or drop and count it where it doesn't fit; return whether it was added. Never waits."""
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
        """Wait for an item, and return what is in front, and whether the end was there.

        Args:
            count: How many to take at most.
            size_bytes: With how many bytes the items are enough; the last one may go beyond.
            timeout_s: Seconds to wait for the first item, or None to wait for as long as it takes.
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

    def pop_dropped(self) -> int:
        """Return how many items were dropped since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self) -> None:
        """Put the end behind the items that wait."""
        self._items.put(None)
