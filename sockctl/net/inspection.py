"""A look at a server while it runs: its counts, and each connection as its owner and the kernel see it.

An inspecting thread does nearly all of the work. The event thread only gives a list of its connections. How long it
takes to do so is its lag: the time for which a ready connection would wait, too.

The inspecting thread reads counts that others change, without their locks. So the counts of one answer may lie some
microseconds apart. It asks the kernel under a connection's lock: no descriptor is closed meanwhile.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sockctl.net.connection import Connection, State
from sockctl.net.connection_table import ConnectionTable
from sockctl.net.kernel_queues import count_unacked_bytes, count_unread_bytes
from sockctl.net.poller import WRITABLE
from sockctl.net.tcp_info import read_tcp_info

PATIENCE_S = 1.0
PIECE = 16
"""Connections that are looked at in one go: some 0.2 ms …"""
PAUSE_S = 0.001
"""… then the inspecting thread sleeps, so that under the GIL no event thread waits for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCounts:
    """The counts of a server, since its start unless they say otherwise.

    Attributes:
        uptime_s: Seconds since its start.
        accepted: Clients that were let in.
        refused: Refused clients by reason.
        clients: Clients that are connected now.
        pending: Those of them that have not logged in yet.
        bytes_in: Bytes received, on closed connections.
        bytes_out: Bytes sent, on closed connections.
    """

    uptime_s: float
    accepted: int
    refused: dict[str, int]
    clients: int
    max_clients: int
    pending: int
    max_pending: int
    bytes_in: int
    bytes_out: int


class Inspection:
    """A request for the connections of one event thread.

    Args:
        table: The event thread's connections.

    Attributes:
        connections: The connections, once the event thread has given them.
    """

    def __init__(self, table: ConnectionTable) -> None:
        self.connections: list[Connection] = []
        self._table = table
        self._asked_at = time.monotonic()
        self._answered_at = 0.0
        self._answered = threading.Event()

    def answer(self) -> None:
        """Copy the list of connections; the event thread calls it."""
        self._answered_at = time.monotonic()
        self.connections = list(self._table.connections.values())
        self._answered.set()

    def wait(self, until: float) -> float | None:
        """Return the event thread's lag in seconds; None where it doesn't answer until a monotonic time.

        A thread that doesn't answer changes its connections no more, so that this thread may copy the list.
        """
        if self._answered.wait(max(0.0, until - time.monotonic())):
            return self._answered_at - self._asked_at
        with contextlib.suppress(RuntimeError):  # it goes on at this moment
            self.connections = list(self._table.connections.values())
        return None


class ConnectionLister:
    """Lists the connections of all event threads. One thread at a time uses it.

    Args:
        inspect: Returns an inspection of each event thread, which it will answer.
        patience_s: How long to wait for an event thread: one that doesn't answer is stuck in a service.

    Attributes:
        lag_s: The longest lag of an event thread at the last look, in seconds.
        is_stuck: Whether an event thread didn't answer.
    """

    def __init__(self, inspect: Callable[[], list[Inspection]], *, patience_s: float = PATIENCE_S) -> None:
        self._inspect = inspect
        self._patience_s = patience_s
        self.lag_s = 0.0
        self.is_stuck = False

    def list_all(self) -> list[Connection]:
        """Return the connections, in the order of their numbers. Blocks for `patience_s` at most."""
        inspections = self._inspect()
        until = time.monotonic() + self._patience_s
        lags_s = [one.wait(until) for one in inspections]
        self.is_stuck = None in lags_s
        self.lag_s = max((self._patience_s if lag_s is None else lag_s for lag_s in lags_s), default=0.0)
        return sorted((each for one in inspections for each in one.connections), key=lambda each: each.number)


def describe_all(connections: list[Connection]) -> Iterator[dict[str, Any]]:
    """Yield the fields of each connection that is still open, with a pause now and then."""
    waiting = iter(connections)
    while piece := list(islice(waiting, PIECE)):
        for connection in piece:
            fields = describe(connection, time.monotonic())
            if fields is not None:
                yield fields
        if len(piece) == PIECE:
            time.sleep(PAUSE_S)


def describe(connection: Connection, now: float) -> dict[str, Any] | None:
    """Return the fields of a connection, of types that JSON has; None if it is closed.

    Args:
        connection: The connection.
        now: The time on the monotonic clock.
    """
    with connection.lock:
        if connection.state is State.CLOSED:
            return None
        info = read_tcp_info(connection.sock)
        try:
            unread, unacked = count_unread_bytes(connection.fd), count_unacked_bytes(connection.fd)
        except OSError:
            return None  # a stuck conversation was abandoned, and has closed the socket by now
        outbox = len(connection.outbox)
    held_until = connection.held_until
    client = connection.handler.describe()
    describe_tls = getattr(connection.sock, "describe", None)  # asking for the protocol would take 0.1 ms
    return {
        "number": connection.number,
        "peer": connection.peer,
        "name": client.name,
        "room": client.room,
        "wire": connection.handler.wire,
        "state": connection.state.name.lower(),
        "tcp": None if info is None else info.state,
        "age_s": round(now - connection.started, 3),
        "idle_s": round(max(0.0, now - connection.last_active), 3),
        "bytes_in": connection.bytes_in,
        "bytes_out": connection.bytes_out,
        "recv_q": unread,
        "send_q": unacked,
        "outbox": outbox,
        "rtt_ms": None if info is None or not info.rtt_us else info.rtt_us / 1000,
        "retransmits": None if info is None else info.retransmits,
        "tls": "" if describe_tls is None else describe_tls()[0],
        "muted": client.muted,
        "paused": connection.state is State.WATCHED and connection.interest == WRITABLE,
        "held": held_until is not None and held_until > now,
    }
