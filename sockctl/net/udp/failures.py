"""Keeps the thread of a UDP server alive through errors that it should not raise."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from sockctl.events.journal import Journal
from sockctl.events.rate_limit import SUM_S, EventRateLimit
from sockctl.events.udp import DatagramsFailed
from sockctl.token_bucket import TokenBucket


class Failures:
    """Emits an error of the server's thread, and those of the second behind it as a sum; that thread alone calls it.

    Attributes:
        limit: Has the sum that waits.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        rate = TokenBucket(rate=1 / SUM_S, burst=1)
        self.limit: EventRateLimit[Counter[str]] = EventRateLimit(rate, Counter, self._emit_sum)
        self._error = ""

    def guard(self, call: Callable[..., object], *arguments: Any) -> bool:
        """Make a call, and return whether it has raised no error."""
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001  a defect on one datagram must not end the server
            self._error = f"{type(error).__name__}: {error}"
            more = self.limit.find_sum(time.monotonic())
            if more is None:
                self._emit(1)
            else:
                more["errors"] += 1
            return False
        return True

    def _emit_sum(self, more: Counter[str], _: float) -> None:
        self._emit(more.total())

    def _emit(self, count: int) -> None:
        self._journal.emit(DatagramsFailed(error=self._error, count=count))
