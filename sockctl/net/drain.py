"""The drain: how the connections of an event thread end when the server stops.

Each connection answers the input from before the drain, and then ends in order. When the time of the drain is up, the
event thread closes the other connections as they are. It gives each conversation a moment to notice, then abandons it
with its socket, which the handler thread may still use.
"""

import math
import socket

from sockctl.events.reasons import DisconnectReason
from sockctl.net.connection import Connection, State
from sockctl.net.connection_table import ConnectionTable
from sockctl.net.kernel_queues import count_unacked_bytes, count_unread_bytes
from sockctl.net.lifecycle import ConnectionLifecycle


class Drain:
    """Ends the connections of one event thread, which alone calls it.

    Args:
        table: The connections.
        lifecycle: Ends each of them.
        abandon_s: How long after the drain's end to wait for a conversation that doesn't end.

    Attributes:
        due_at: When the event thread must call `expire`, on the monotonic clock.
        interrupt_fd: A descriptor that becomes readable when the drain begins: conversations wait for it, too.
    """

    def __init__(self, table: ConnectionTable, lifecycle: ConnectionLifecycle, *, abandon_s: float) -> None:
        self._table = table
        self._lifecycle = lifecycle
        self._abandon_s = abandon_s
        self._interrupter, self._interrupted = socket.socketpair()
        self.interrupt_fd = self._interrupted.fileno()
        self.due_at = math.inf

    def begin(self, until: float) -> None:
        """Begin the end of every connection; at `until`, `expire` closes those that are left."""
        self.due_at = until
        self._table.draining = True
        self._lifecycle.guard(self.add, list(self._table.connections.values()))
        self._interrupter.send(b"\0")  # never read: every conversation that waits for input sees it

    def add(self, connection: Connection) -> None:
        """Begin the end of one connection, which still answers its earlier input."""
        if connection.state is State.WATCHED and (connection.held_until or 0.0) <= self._table.now:
            connection.drain_at = connection.raw_bytes_in + count_unread_bytes(connection.fd)
            self.finish_answered(connection)
        else:
            self._lifecycle.finish(connection, DisconnectReason.SERVER_STOPPING)

    def finish_answered(self, connection: Connection) -> None:
        """End the connection once it has answered the input from before the drain."""
        if connection.raw_bytes_in >= connection.drain_at and connection.held_until is None:
            self._lifecycle.finish(connection, DisconnectReason.SERVER_STOPPING)

    def expire(self) -> None:
        """Close the connections that are left, since the time is up."""
        self.due_at = self._table.now + self._abandon_s
        self._lifecycle.guard(self._cut_off, list(self._table.connections.values()))

    def close(self) -> None:
        """Free the sockets."""
        self._interrupter.close()
        self._interrupted.close()

    def _cut_off(self, connection: Connection) -> None:
        if connection.state is not State.CONVERSING:
            if connection.state is not State.LINGERING or count_unacked_bytes(connection.fd):
                connection.reason = DisconnectReason.DRAIN_TIMEOUT
            self._lifecycle.close(connection)
        elif connection.reason is DisconnectReason.DRAIN_TIMEOUT:
            self._lifecycle.abandon(connection)
        else:
            connection.reason = DisconnectReason.DRAIN_TIMEOUT
            connection.interrupt(DisconnectReason.DRAIN_TIMEOUT, socket.SHUT_RDWR)
