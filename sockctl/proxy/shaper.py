"""Traffic shaping: it delays the bytes of one direction, bounds their rate, and keeps their order."""

import math
from collections import deque

SHAPER_BYTES = 4 << 20
"""Bytes that a shaper may hold, at which the proxy reads nothing more: enough for 40 MB/s at 100 ms."""
SHAPER_PIECES = 16_384
"""Reads whose bytes a shaper may hold: each takes some 300 bytes of memory, be it of one byte alone."""
SLICES_PER_S = 50
"""Pieces in which a second's bytes pass, so that a slow connection flows and doesn't jump."""


class Shaper:
    """Delays the bytes of one direction, and bounds their rate. Not thread-safe.

    Args:
        delay_s: Seconds from their coming to their going.
        bytes_per_s: How many bytes a second may go; None for any number.
    """

    def __init__(self, *, delay_s: float, bytes_per_s: int | None) -> None:
        self._delay_s = delay_s
        self._bytes_per_s = bytes_per_s
        self._slice = max(1, (bytes_per_s or 0) // SLICES_PER_S)
        self._pieces: deque[tuple[float, memoryview]] = deque()
        self._held = 0
        self._free_at = 0.0  # when the rate lets the next byte pass

    @property
    def is_empty(self) -> bool:
        """Whether the shaper holds nothing."""
        return not self._pieces

    @property
    def is_full(self) -> bool:
        """Whether the shaper takes no more for now."""
        return self._held >= SHAPER_BYTES or len(self._pieces) >= SHAPER_PIECES

    @property
    def due_at(self) -> float:
        """When the next piece may go; infinity if there is none."""
        return max(self._pieces[0][0], self._free_at) if self._pieces else math.inf

    def put(self, data: bytes, now: float) -> None:
        """Take bytes that came at `now`; no bytes stand for the end, which is held back, too."""
        self._pieces.append((now + self._delay_s, memoryview(data)))
        self._held += len(data)

    def pop(self, now: float) -> memoryview | None:
        """Return the piece that may go at `now`; None if none may."""
        if self.due_at > now:
            return None
        due_at, data = self._pieces.popleft()
        if self._bytes_per_s is not None and data:
            if len(data) > self._slice:
                self._pieces.appendleft((due_at, data[self._slice :]))
                data = data[: self._slice]
            self._free_at = max(self._free_at, now - 1 / SLICES_PER_S) + len(data) / self._bytes_per_s
        self._held -= len(data)
        return data
