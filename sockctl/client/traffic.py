"""Emits the traffic of a connection: each call at once while it is calm, else a sum once a second."""

from collections.abc import Callable

from sockctl.events.base import Event
from sockctl.events.client import DataReceived, DataSent
from sockctl.events.rate_limit import EventRateLimit
from sockctl.token_bucket import TokenBucket

CALM_PER_SECOND = 10


class _Moved:
    """Bytes that moved, and the calls that moved them."""

    __slots__ = ("bytes_in", "bytes_out", "messages", "reads", "sends")

    def __init__(self) -> None:
        self.bytes_in = self.bytes_out = self.reads = self.sends = 0
        self.messages: int | None = None


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
        rate = TokenBucket(rate=CALM_PER_SECOND, burst=CALM_PER_SECOND)
        self._limit: EventRateLimit[_Moved] = EventRateLimit(rate, _Moved, self._emit_total)
        self._last_at: float | None = None  # when bytes moved the last time
        self.bytes_in = self.bytes_out = 0

    @property
    def sum_at(self) -> float | None:
        """When the sum is due; None where there is none."""
        return self._limit.due_at

    def count_received(self, count: int, now: float, *, messages: int | None = None) -> None:
        """Count the bytes of a read, and the messages that they complete; emit them, or let them wait for their sum."""
        self.bytes_in += count
        total = self._find_sum(now)
        moved = total or _Moved()
        moved.bytes_in += count
        moved.reads += 1
        if messages is not None:
            moved.messages = (moved.messages or 0) + messages
        self._settle(moved, now, waits=total is not None)

    def count_sent(self, count: int, now: float) -> None:
        """Count the bytes of a send; emit them, or let them wait for their sum."""
        self.bytes_out += count
        total = self._find_sum(now)
        moved = total or _Moved()
        moved.bytes_out += count
        moved.sends += 1
        self._settle(moved, now, waits=total is not None)

    def emit_sum(self, now: float) -> None:
        """Emit the sum of the bytes that wait, if there are any."""
        self._limit.emit_sum(now, ending=True)

    def _find_sum(self, now: float) -> _Moved | None:
        return None if self._emits_each else self._limit.find_sum(now)

    def _settle(self, moved: _Moved, now: float, *, waits: bool) -> None:
        since_last_s = None if self._last_at is None else round(now - self._last_at, 6)
        self._last_at = now
        if not waits:
            self._emit_moved(moved, since_last_s, None)

    def _emit_total(self, total: _Moved, seconds: float) -> None:
        self._emit_moved(total, None, seconds)

    def _emit_moved(self, moved: _Moved, since_last_s: float | None, seconds: float | None) -> None:
        times = {"since_last_s": since_last_s, "seconds": seconds}
        encrypted, number = self._encrypted, self._number
        if moved.bytes_out:
            self._emit(
                DataSent(bytes=moved.bytes_out, sends=moved.sends, encrypted=encrypted, connection=number, **times)
            )
        if moved.bytes_in:
            self._emit(
                DataReceived(
                    bytes=moved.bytes_in,
                    reads=moved.reads,
                    messages=moved.messages,
                    encrypted=encrypted,
                    connection=number,
                    **times,
                )
            )
