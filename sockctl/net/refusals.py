"""Emits the clients that are refused, and counts them by reason."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from sockctl.events.acceptance import ClientRefused, ClientsRefused
from sockctl.events.base import Event
from sockctl.events.rate_limit import EventRateLimit
from sockctl.events.reasons import RefusalReason
from sockctl.net.address import extract_host, format_address
from sockctl.token_bucket import TokenBucket


class Refusals:
    """Emits some refusals a second one by one, and more of them as sums. One thread calls it, which accepts.

    Args:
        emit: Emits an event.
        per_second: How many are emitted one by one.

    Attributes:
        limit: Has the sum that waits.
        counts: Refused clients by reason, since the start; the table never grows, so other threads may read it.
    """

    def __init__(self, emit: Callable[[Event], None], per_second: int) -> None:
        self._emit = emit
        self.limit: EventRateLimit[Counter[RefusalReason]] = EventRateLimit(
            TokenBucket(rate=per_second, burst=per_second), Counter, self._emit_sum
        )
        self.counts = dict.fromkeys(RefusalReason, 0)

    def add(self, address: Any, reason: RefusalReason) -> None:
        """Emit that a client was refused, or add it to the sum."""
        self.counts[reason] += 1
        reasons = self.limit.find_sum(time.monotonic())
        if reasons is None:
            self._emit(ClientRefused(peer=format_address(extract_host(address), address[1]), reason=reason))
        else:
            reasons[reason] += 1

    def _emit_sum(self, reasons: Counter[RefusalReason], seconds: float) -> None:
        self._emit(ClientsRefused(count=reasons.total(), seconds=seconds, reasons=dict(reasons)))
