"""Emits the traffic of connections: every portion at once while traffic is calm, sums while it is busy.

An event for every read and send would cost more than the echo itself. So the hot path only counts. The bytes still to
be emitted are the difference between a connection's counts and its emitted bytes. So none get lost: the sums of all
data events of a connection are its counts, to the byte.

A connection that moves bytes is *touched* once. While the token bucket allows it, the loop emits the counts at once.
Else the connection waits for its sum, which is emitted a second later. Where very many connections wait, each second
emits some of the sums, in the order in which the connections came, and the sums of the others grow.
"""

import math
import operator
from collections import deque
from typing import TypedDict

from sockctl.events.base import Level
from sockctl.events.connection import DataReceived, DataSent
from sockctl.events.journal import Journal
from sockctl.net.connection import Connection, State
from sockctl.token_bucket import TokenBucket


class _SharedFields(TypedDict):
    """The fields that the events of both directions share."""

    connection: int
    peer: str
    portion_bytes: int
    seconds: float | None
    encrypted: bool | None


CALM_PER_SECOND = 10
"""Connections whose counts are emitted at once, per second: no person could read more."""


class Traffic:
    """Emits the data events of the connections of one event thread, which alone calls it.

    Args:
        journal: Takes the events.
        sum_s: Seconds that a sum grows.
        sums_per_second: The most sums in `sum_s`.

    Attributes:
        touched: Connections that have moved bytes, each marked so; any thread adds to it.
        due_at: When the event thread must emit the next sums.
    """

    def __init__(self, journal: Journal, *, sum_s: float, sums_per_second: int) -> None:
        self._sum_s = sum_s
        self._sums_per_second = sums_per_second
        self._journal = journal
        self._silent = not journal.emits(Level.INFO)
        self._calm = TokenBucket(rate=CALM_PER_SECOND, burst=CALM_PER_SECOND)
        self._waiting: dict[Connection, None] = {}  # in the order in which they came; `settle` removes closed ones
        self.touched: deque[Connection] = deque()  # its append and popleft need no lock
        self.due_at = math.inf

    def emit_touched(self, now: float) -> None:
        """Emit the traffic of the connections in `touched`, or let them wait for their sums."""
        for _ in range(len(self.touched)):
            connection = self.touched.popleft()
            if connection.state is not State.CLOSED:  # else it was settled
                self._add(connection, now)

    def _add(self, connection: Connection, now: float) -> None:
        if self._silent or not connection.tells_data:
            return  # the mark stays, so that no thread adds the connection again
        if self._calm.accept(now):
            self._tell(connection, None)
            return
        connection.waits_since = now
        self._waiting[connection] = None
        self.due_at = min(self.due_at, now + self._sum_s)

    def emit_sums(self, now: float) -> None:
        """Emit the sums that have waited long enough."""
        told = 0
        while told < self._sums_per_second and self._find_first_due_at() <= now:
            connection = next(iter(self._waiting))
            del self._waiting[connection]
            self._tell(connection, now - connection.waits_since)
            told += 1
        self.due_at = self._find_first_due_at() if told < self._sums_per_second else now + self._sum_s

    def settle(self, connection: Connection, now: float) -> None:
        """Emit the last traffic of a connection that ends."""
        if self._silent or not connection.tells_data:
            return
        waited = connection in self._waiting
        self._waiting.pop(connection, None)
        self._tell(connection, now - connection.waits_since if waited else None)

    def _find_first_due_at(self) -> float:
        first = next(iter(self._waiting), None)
        return math.inf if first is None else first.waits_since + self._sum_s

    def _tell(self, connection: Connection, seconds: float | None) -> None:
        connection.is_touched = False  # first: bytes that move while this runs mark the connection again
        told, connection.emitted = connection.emitted, _count(connection)
        bytes_in, reads, portions_in, bytes_out, sends, portions_out = map(operator.sub, connection.emitted, told)
        if not (bytes_in or bytes_out):
            return
        shared: _SharedFields = {
            "connection": connection.number,
            "peer": connection.peer,
            "portion_bytes": connection.portion,
            "seconds": None if seconds is None else round(seconds, 3),
            "encrypted": connection.is_encrypted or None,
        }
        if bytes_in:
            self._journal.emit(DataReceived(bytes=bytes_in, portions=portions_in, reads=reads, **shared))
        if bytes_out:
            self._journal.emit(DataSent(bytes=bytes_out, portions=portions_out, sends=sends, **shared))


def _count(one: Connection) -> tuple[int, ...]:
    """Return the bytes, calls and portions received and sent."""
    portions_in, portions_out = one.reads + one.further_in, one.sends + one.further_out
    return one.bytes_in, one.reads, portions_in, one.bytes_out, one.sends, portions_out
