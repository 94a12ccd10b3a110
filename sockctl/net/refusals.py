"""Tells of the clients that are refused: many a second in sums, so that a flood of them fills no log."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from sockctl.events.acceptance import ClientRefused, ClientsRefused
from sockctl.events.base import Event
from sockctl.events.reasons import RefusalReason
from sockctl.net.address import extract_host, format_address
from sockctl.token_bucket import TokenBucket

REFUSALS_SUM_S = 1.0


class Refusals:
    """Emits some refusals a second one by one, and more of them as sums. One thread calls it, which accepts.

    Args:
        emit: Emits an event.
        per_second: How many are emitted one by one.

    Attributes:
        counts: Refused clients by reason, since the start; the table never grows, so other threads may read it.
    """

    def __init__(self, emit: Callable[[Event], None], per_second: int) -> None:
        self._emit = emit
        self._one_by_one = TokenBucket(rate=per_second, burst=per_second)
        self._sum: Counter[RefusalReason] = Counter()
        self._since = 0.0
        self.counts = dict.fromkeys(RefusalReason, 0)

    def add(self, address: Any, reason: RefusalReason) -> None:
        """Emit that a client was refused, or add it to the sum."""
        self.counts[reason] += 1
        now = time.monotonic()
        if not self._sum and self._one_by_one.accept(now):
            self._emit(ClientRefused(peer=format_address(extract_host(address), address[1]), reason=reason))
            return
        if not self._sum:
            self._since = now
        self._sum[reason] += 1

    def compute_wait_s(self, now: float) -> float | None:
        """Return how long the sum may still grow; None if there is none."""
        return max(0.0, self._since + REFUSALS_SUM_S - now) if self._sum else None

    def emit_sum(self, now: float, *, ending: bool = False) -> None:
        """Emit the sum if it has grown for a second, or with `ending` in any case."""
        if not self._sum or (now < self._since + REFUSALS_SUM_S and not ending):
            return
        seconds = round(now - self._since, 3)
        self._emit(ClientsRefused(count=self._sum.total(), seconds=seconds, reasons=dict(self._sum)))
        self._sum.clear()
