"""The connections of one event thread, with the event that each waits for, and its deadline."""

import math

from sockctl.net.connection import Connection
from sockctl.net.deadlines import Deadlines
from sockctl.net.poller import Poller


class ConnectionTable:
    """The open connections. Only the event thread uses it.

    Args:
        poller: The poller of the event thread.

    Attributes:
        connections: Each of them, by descriptor.
        now: The time of this round, on the monotonic clock; the event thread sets it.
        due_at: When the event thread must call `remove_expired`.
        draining: Whether the server is stopping.
    """

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._deadlines: Deadlines[Connection] = Deadlines()
        self.connections: dict[int, Connection] = {}
        self.now = 0.0
        self.due_at = math.inf
        self.draining = False

    def add(self, connection: Connection) -> None:
        """Add a new connection."""
        self.connections[connection.fd] = connection

    def remove(self, connection: Connection) -> None:
        """Forget a connection."""
        del self.connections[connection.fd]
        self._deadlines.discard(connection)

    def wait_for(self, connection: Connection, interest: int) -> None:
        """Wait for READABLE or WRITABLE; 0 removes the connection from the poller."""
        if interest == connection.interest:
            return
        if not connection.interest:
            self._poller.register(connection.fd, interest)
        elif not interest:
            self._poller.unregister(connection.fd)
        else:
            self._poller.modify(connection.fd, interest)
        connection.interest = interest

    def set_deadline(self, connection: Connection, at: float, *, sooner_only: bool = False) -> None:
        """Set a connection's deadline in place of the last one; infinity changes nothing.

        Args:
            connection: The connection.
            at: The deadline, on the monotonic clock.
            sooner_only: Whether an earlier deadline stays.
        """
        if at < math.inf and not (sooner_only and self._deadlines.find(connection) <= at):
            self._deadlines.set(connection, at)
            self.due_at = min(self.due_at, at)

    def remove_expired(self) -> list[Connection]:
        """Remove the deadlines that have come, and return their connections, earliest first."""
        return self._deadlines.remove_expired(self.now)

    def find_next_deadline(self) -> None:
        """Set `due_at` to the next deadline, after the expired connections."""
        self.due_at = self._deadlines.find_next_at()
