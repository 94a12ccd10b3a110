"""The pace of sending: a message goes out when one is answered (closed loop), or on a clock (open loop)."""

import math
from collections.abc import Iterator

from sockctl.bench.plan import Plan
from sockctl.bench.stats import Stats


class Pacing:
    """Says how many messages may go out, and counts them. None may go out before `start`.

    Messages sent (open loop: due) before `measured_from` are the warm-up, and don't count.

    Args:
        plan: The plan of the measuring.
        stats: Counts the messages.

    Attributes:
        answers: How many answers each message is to get.
        measured_from: When the measuring begins, on the monotonic clock.
        measured_from_ns: The same in nanoseconds; beyond all times before `start`.
        until: When nothing more is sent.
    """

    def __init__(self, plan: Plan, stats: Stats) -> None:
        self._plan = plan
        self._stats = stats
        self._left = plan.count
        self._next = 0
        self._start = self.measured_from = math.inf
        self.measured_from_ns = 1 << 63
        self.until = -math.inf
        self.answers = 1

    def start(self, at: float) -> None:
        """Begin at this time."""
        self._start = at + self._plan.offset_s
        self.measured_from = at + self._plan.warm_up_s
        self.measured_from_ns = int(self.measured_from * 1e9)
        self.until = math.inf if self._plan.duration_s is None else self.measured_from + self._plan.duration_s
        self._stats.began = self.measured_from

    def stop(self, now: float) -> None:
        """Grant nothing more."""
        self.until = min(self.until, now)

    @property
    def all_sent(self) -> bool:
        """Whether all messages of the plan have gone out."""
        return self._left == 0

    def is_over(self, now: float) -> bool:
        """Return whether the time is up, or all messages have gone out."""
        return now >= self.until or self.all_sent

    def grant(self, wanted: int, now: float) -> int:
        """Return how many of the `wanted` messages may go out now, and count them."""
        if now >= self.until:
            return 0
        if now < self.measured_from:
            return wanted
        if self._left is not None:
            wanted = min(wanted, self._left)
            self._left -= wanted
        self._stats.sent += wanted
        self._stats.expected += wanted * self.answers
        return wanted

    # Open loop.

    def pop_due(self, now: float) -> Iterator[float]:
        """Yield the time at which each unsent message was due, and count the message."""
        while (due := self._find_due_at()) <= now and self.grant(1, due):
            self._next += 1
            yield due

    @property
    def unsent(self) -> int:
        """Unsent messages that were due in the measured time; 0 in a closed loop."""
        if self._plan.rate is None or not math.isfinite(self.until):
            return 0
        unsent = max(
            0, self._count_due_before(self.until) - max(self._next, self._count_due_before(self.measured_from))
        )
        return unsent if self._left is None else min(unsent, self._left)

    def compute_wait_s(self, now: float) -> float:
        """Return for how many seconds no message is due."""
        return self._find_due_at() - now

    def _find_due_at(self) -> float:
        rate = self._plan.rate
        return math.inf if rate is None else self._start + self._next / rate

    def _count_due_before(self, at: float) -> int:
        """Return how many messages of an open loop are due before a time."""
        assert self._plan.rate is not None  # noqa: S101  that is what an open loop has
        count = max(0, math.ceil((at - self._start) * self._plan.rate))
        while count and self._start + (count - 1) / self._plan.rate >= at:
            count -= 1  # a rounded product is not always that of the sum
        return count
