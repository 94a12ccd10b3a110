"""A rate limit for events: up to a rate they are emitted one by one, those beyond as sums.

So no client can fill a disk with events, even if it forges addresses. Nothing is missing in the log.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from sockctl.token_bucket import TokenBucket

SUM_S = 1.0
"""How long a sum grows."""

Sum = TypeVar("Sum")


class EventRateLimit(Generic[Sum]):
    """Decides which events are emitted one by one, and when the sum of the others is. Not thread-safe.

    The caller asks `find_sum` before each event. A sum that has begun takes all further events, until it is emitted.
    So no event overtakes an earlier one.

    Args:
        rate: How many events are emitted one by one. Several limits may share a bucket.
        begin_sum: Returns an empty sum.
        emit_sum: Emits a sum, and the seconds in which it grew.

    Attributes:
        due_at: When the sum is due; None where there is none.
    """

    __slots__ = ("_begin_sum", "_emit_sum", "_rate", "_sum", "due_at")

    def __init__(self, rate: TokenBucket, begin_sum: Callable[[], Sum], emit_sum: Callable[[Sum, float], None]) -> None:
        self._rate = rate
        self._begin_sum = begin_sum
        self._emit_sum = emit_sum
        self._sum: Sum | None = None
        self.due_at: float | None = None

    def find_sum(self, now: float) -> Sum | None:
        """Return the sum to which the caller adds the next event; None where the caller emits that event."""
        if self._sum is None and not self._rate.accept(now):
            self._sum = self._begin_sum()
            self.due_at = now + SUM_S
        return self._sum

    def emit_sum(self, now: float, *, ending: bool = False) -> None:
        """Emit the sum if it is due, or with `ending` in any case; do nothing where there is none."""
        if self._sum is None or self.due_at is None or (now < self.due_at and not ending):
            return
        total, seconds = self._sum, round(now - self.due_at + SUM_S, 3)
        self._sum = self.due_at = None
        self._emit_sum(total, seconds)
