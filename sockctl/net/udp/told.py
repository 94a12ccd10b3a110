"""Emits some events a second one by one, and more of them as sums: nobody who forges addresses fills a disk."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from sockctl.events.journal import Journal
from sockctl.events.reasons import UnansweredReason
from sockctl.events.udp import ClientsHeard, DatagramsFailed, DatagramsUnanswered, DatagramUnanswered
from sockctl.net.address import extract_host, format_address
from sockctl.token_bucket import TokenBucket

SUM_S = 1.0


class Unanswered:
    """Tells the datagrams that get no answer. The server's thread alone calls it.

    Attributes:
        counts: Such datagrams by reason, since the start; the table never grows, so other threads may read it.
    """

    def __init__(self, journal: Journal, per_second: int) -> None:
        self._journal = journal
        self._one_by_one = TokenBucket(rate=per_second, burst=per_second)
        self._sum: Counter[UnansweredReason] = Counter()
        self._since = 0.0
        self.counts = dict.fromkeys(UnansweredReason, 0)

    def add(self, address: Any, size_bytes: int, reason: UnansweredReason, now: float) -> None:
        """Emit that a datagram gets no answer, or add it to the sum."""
        self.counts[reason] += 1
        if not self._sum and self._one_by_one.accept(now):
            peer = format_address(extract_host(address), address[1])
            self._journal.emit(DatagramUnanswered(peer=peer, bytes=size_bytes, reason=reason))
            return
        if not self._sum:
            self._since = now
        self._sum[reason] += 1

    @property
    def due_at(self) -> float | None:
        """When the sum is due; None if there is none."""
        return self._since + SUM_S if self._sum else None

    def emit_sum(self, now: float, *, ending: bool = False) -> None:
        """Emit the sum if it has grown for a second, or with `ending` in any case."""
        if self._sum and (ending or now >= self._since + SUM_S):
            seconds = round(now - self._since, 3)
            self._journal.emit(DatagramsUnanswered(count=self._sum.total(), seconds=seconds, reasons=dict(self._sum)))
            self._sum.clear()


class Untold:
    """Counts the clients that were heard and not told one by one. The server's thread alone calls it."""

    def __init__(self, journal: Journal, per_second: int) -> None:
        self._journal = journal
        self._one_by_one = TokenBucket(rate=per_second, burst=per_second)
        self._count = 0
        self._since = 0.0

    def may_tell(self, now: float) -> bool:
        """Return whether the next client is told; count it else."""
        if not self._count and self._one_by_one.accept(now):
            return True
        if not self._count:
            self._since = now
        self._count += 1
        return False

    @property
    def due_at(self) -> float | None:
        """When the sum is due; None if there is none."""
        return self._since + SUM_S if self._count else None

    def emit_sum(self, now: float, *, ending: bool = False) -> None:
        """Emit the sum if it has grown for a second, or with `ending` in any case."""
        if self._count and (ending or now >= self._since + SUM_S):
            self._journal.emit(ClientsHeard(count=self._count, seconds=round(now - self._since, 3)))
            self._count = 0


class Failures:
    """Keeps the server's thread alive through errors that it should not raise, and tells them, once a second at most.

    The server's thread alone calls it.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._tells = TokenBucket(rate=1 / SUM_S, burst=1)
        self._count = 0
        self._error = ""

    def guard(self, call: Callable[..., object], *arguments: Any) -> bool:
        """Make a call, and return whether it has raised no error."""
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001  a defect on one datagram must not end the server
            self._count += 1
            self._error = f"{type(error).__name__}: {error}"
            if self._tells.accept(time.monotonic()):
                self.emit_count()
            return False
        return True

    def emit_count(self) -> None:
        """Emit how many errors there were since the last such event, if any."""
        if self._count:
            self._journal.emit(DatagramsFailed(error=self._error, count=self._count))
            self._count = 0
