"""Emits the datagrams that get no answer, and counts them by reason."""

from collections import Counter
from typing import Any

from sockctl.events.journal import Journal
from sockctl.events.rate_limit import EventRateLimit
from sockctl.events.reasons import UnansweredReason
from sockctl.events.udp import DatagramsUnanswered, DatagramUnanswered
from sockctl.net.address import extract_host, format_address
from sockctl.token_bucket import TokenBucket


class UnansweredDatagrams:
    """Emits some unanswered datagrams a second one by one, and more of them as sums. The server's thread calls it.

    Args:
        journal: Takes the events.
        per_second: How many are emitted one by one.

    Attributes:
        limit: Has the sum that waits.
        counts: Such datagrams by reason, since the start; the table never grows, so other threads may read it.
    """

    def __init__(self, journal: Journal, per_second: int) -> None:
        self._journal = journal
        self.limit: EventRateLimit[Counter[UnansweredReason]] = EventRateLimit(
            TokenBucket(rate=per_second, burst=per_second), Counter, self._emit_sum
        )
        self.counts = dict.fromkeys(UnansweredReason, 0)

    def add(self, address: Any, size_bytes: int, reason: UnansweredReason, now: float) -> None:
        """Emit that a datagram gets no answer, or add it to the sum."""
        self.counts[reason] += 1
        reasons = self.limit.find_sum(now)
        if reasons is None:
            peer = format_address(extract_host(address), address[1])
            self._journal.emit(DatagramUnanswered(peer=peer, bytes=size_bytes, reason=reason))
        else:
            reasons[reason] += 1

    def _emit_sum(self, reasons: Counter[UnansweredReason], seconds: float) -> None:
        self._journal.emit(DatagramsUnanswered(count=reasons.total(), seconds=seconds, reasons=dict(reasons)))
