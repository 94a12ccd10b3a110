"""A token bucket: it limits a rate, such as that of events before they become sums."""


class TokenBucket:
    """Lets `rate` things a second pass, and up to `burst` at once after a rest.

    The caller gives the time, in seconds of any monotonic clock, which spares a call. Not thread-safe.
    """

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, *, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._updated = 0.0

    def has_any(self, now: float) -> bool:
        """Return whether one more may pass at `now`."""
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
        return self._tokens >= 1.0

    def accept(self, now: float, cost: float = 1.0) -> bool:
        """Return whether something may pass at `now`; if so, count it.

        Args:
            now: The time.
            cost: How many tokens it costs. A cost above the burst passes with a full bucket, and leaves a debt.
        """
        if not self.has_any(now) or self._tokens < min(cost, self._burst):
            return False
        self._tokens -= cost
        return True
