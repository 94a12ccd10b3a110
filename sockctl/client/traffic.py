"""Emits the traffic of a connection: each call at once while it is calm, else a sum once a second."""

from collections.abc import Callable

from sockctl.events.base import Event
from sockctl.events.client import DataReceived, DataSent
from sockctl.token_bucket import TokenBucket

CALM_PER_SECOND = 10
SUM_SECONDS = 1.0


class TrafficMeter:
    """Counts the bytes and calls of a connection, and emits them.

    Args:
        emit: Emits an event.
        encrypted: Whether the connection is under TLS.
        emits_each: Whether to emit each call, however busy the traffic is.
        number: The number of the client, where this side has listened.

    Attributes:
        bytes_in: Bytes received.
        bytes_out: Bytes sent.
        sum_at: When the sum is due; None where there is none.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        *,
        encrypted: bool = False,
        emits_each: bool = False,
        number: int | None = None,
    ) -> None:
        self._emit = emit
        self._number = number
        self._encrypted = True if encrypted else None
        self._emits_each = emits_each
        self._calm = TokenBucket(rate=CALM_PER_SECOND, burst=CALM_PER_SECOND)
        self._last_at: float | None = None  # when bytes moved the last time
        self._waiting_in = self._waiting_out = 0  # bytes that are not emitted yet
        self._reads = self._sends = 0  # the calls that moved them
        self._messages: int | None = None
        self.bytes_in = self.bytes_out = 0
        self.sum_at: float | None = None

    def count_received(self, count: int, now: float, *, messages: int | None = None) -> None:
        """Count the bytes of a read, and the messages that they complete; emit them, or let them wait for their sum."""
        self.bytes_in += count
        self._waiting_in += count
        self._reads += 1
        if messages is not None:
            self._messages = (self._messages or 0) + messages
        self._settle(now)

    def count_sent(self, count: int, now: float) -> None:
        """Count the bytes of a send; emit them, or let them wait for their sum."""
        self.bytes_out += count
        self._waiting_out += count
        self._sends += 1
        self._settle(now)

    def emit_sum(self, now: float) -> None:
        """Emit the sum of the bytes that wait, if there are any."""
        if self.sum_at is not None:
            since, self.sum_at = self.sum_at - SUM_SECONDS, None
            self._emit_waiting(None, now - since)

    def _settle(self, now: float) -> None:
        since_last_s = None if self._last_at is None else round(now - self._last_at, 6)
        self._last_at = now
        if self.sum_at is None:
            if self._emits_each or self._calm.accept(now):
                self._emit_waiting(since_last_s, None)
            else:
                self.sum_at = now + SUM_SECONDS

    def _emit_waiting(self, since_last_s: float | None, seconds: float | None) -> None:
        times = {"since_last_s": since_last_s, "seconds": seconds}
        sent, received, encrypted, number = self._waiting_out, self._waiting_in, self._encrypted, self._number
        if sent:
            self._emit(DataSent(bytes=sent, sends=self._sends, encrypted=encrypted, connection=number, **times))
        if received:
            self._emit(
                DataReceived(
                    bytes=received,
                    reads=self._reads,
                    messages=self._messages,
                    encrypted=encrypted,
                    connection=number,
                    **times,
                )
            )
        self._waiting_in = self._waiting_out = self._reads = self._sends = 0
        self._messages = None
