"""Keeps the thread of a UDP server alive through errors that it should not raise."""

import time
from collections.abc import Callable
from typing import Any

from sockctl.events.journal import Journal
from sockctl.events.rate_limit import SUM_S
from sockctl.events.udp import DatagramsFailed
from sockctl.token_bucket import TokenBucket


class Failures:
    """Emits the errors of the server's thread, once a second at most; that thread alone calls it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rate = TokenBucket(rate=1 / SUM_S, burst=1)
        self._count = 0
        self._error = ""

    def guard(self, call: Callable[..., object], *arguments: Any) -> bool:
        """Make a call, and return whether it has raised no error."""
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001  a defect on one datagram must not end the server
            self._count += 1
            self._error = f"{type(error).__name__}: {error}"
            if self._rate.accept(time.monotonic()):
                self.emit_count()
            return False
        return True

    def emit_count(self) -> None:
        """Emit how many errors there were since the last such event, if any."""
        if self._count:
            self._journal.emit(DatagramsFailed(error=self._error, count=self._count))
            self._count = 0
