"""Emits the traffic of a connection: at once while it is calm, else as a sum once a second."""

from collections.abc import Callable

from sockctl.events.base import Event
from sockctl.events.client import DataReceived, DataSent
from sockctl.token_bucket import TokenBucket

CALM_PER_SECOND = 10
SUM_SECONDS = 1.0


class TrafficMeter:
    """Counts the bytes of a connection, and emits them.

    Args:
        emit: Emits an event.

    Attributes:
        bytes_in: Bytes received.
        bytes_out: Bytes sent.
        sum_at: When the sum is due; None where there is none.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._calm = TokenBucket(rate=CALM_PER_SECOND, burst=CALM_PER_SECOND)
        self._emitted_in = self._emitted_out = 0
        self.bytes_in = self.bytes_out = 0
        self.sum_at: float | None = None

    def count(self, now: float, *, received: int = 0, sent: int = 0) -> None:
        """Count bytes; emit them, or let them wait for their sum."""
        self.bytes_in += received
        self.bytes_out += sent
        if self.sum_at is None:
            if self._calm.accept(now):
                self._emit_since(None)
            else:
                self.sum_at = now + SUM_SECONDS

    def emit_sum(self, now: float) -> None:
        """Emit the sum of the bytes that wait, if there are any."""
        if self.sum_at is not None:
            since, self.sum_at = self.sum_at - SUM_SECONDS, None
            self._emit_since(now - since)

    def _emit_since(self, seconds: float | None) -> None:
        received, sent = self.bytes_in - self._emitted_in, self.bytes_out - self._emitted_out
        self._emitted_in, self._emitted_out = self.bytes_in, self.bytes_out
        if sent:
            self._emit(DataSent(bytes=sent, seconds=seconds))
        if received:
            self._emit(DataReceived(bytes=received, seconds=seconds))
