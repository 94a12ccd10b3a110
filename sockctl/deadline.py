"""One time limit over several steps: how much of it is left, and whether it has passed."""

import math
import time
from typing import Self

MAX_POLL_MS = 86_400_000
"""The longest wait of one poll(), which counts milliseconds in a C int, some 24 days at most."""


class Deadline(float):
    """The end of a time limit, in seconds of the monotonic clock; infinity for no limit."""

    __slots__ = ()

    @classmethod
    def after(cls, timeout_s: float | None) -> Self:
        """Return the time so many seconds from now; None for no limit."""
        return cls(math.inf if timeout_s is None else time.monotonic() + timeout_s)

    @property
    def left_s(self) -> float:
        """Seconds that are left, 0 at least."""
        return max(0.0, self - time.monotonic())

    @property
    def left_ms(self) -> int | None:
        """Milliseconds that are left, rounded up, at most a day; None for no limit. For `select.poll`."""
        return None if self == math.inf else math.ceil(min(self.left_s * 1000, MAX_POLL_MS))

    @property
    def has_passed(self) -> bool:
        """Whether the time has come."""
        return time.monotonic() >= self
