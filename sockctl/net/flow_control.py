"""Flow control: when the event thread reads from a connection, and when it empties the outbox.

While bytes wait in a connection's outbox, the event thread reads nothing more from it. So a client that doesn't read
stops itself, and costs the memory of one answer. Nor does the thread read from a *held* connection: its handler has
more to decode than one round allows, or the client is beyond its budget (`sockctl.net.input_budget`).
"""

import errno
import math
from collections.abc import Callable, Iterable

from sockctl.events.connection import ReadingPaused, ReadingResumed
from sockctl.events.journal import Journal
from sockctl.net.call_queue import CallQueue
from sockctl.net.connection import Connection, State
from sockctl.net.connection_table import ConnectionTable
from sockctl.net.drain import Drain
from sockctl.net.lifecycle import ConnectionLifecycle
from sockctl.net.poller import READABLE, WRITABLE

_OVER = (errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT)
"""Errors of a connection that can't receive any more than has come already."""


class FlowControl:
    """Empties the outboxes of one event thread's connections, and pauses and resumes reading. That thread calls it.

    Args:
        journal: Takes the events.
        table: The connections.
        lifecycle: Ends connections.
        drain: Ends all of them when the server stops.
        calls: The queue of calls for the event thread.
        buffer: The buffer for input.
        read: Reads from connections, and lets the service react.
        on_post: Called when sent bytes are to be emitted.
    """

    def __init__(
        self,
        journal: Journal,
        table: ConnectionTable,
        lifecycle: ConnectionLifecycle,
        drain: Drain,
        *,
        calls: CallQueue,
        buffer: bytearray,
        read: Callable[[Iterable[Connection]], object],
        on_post: Callable[[Connection], None],
    ) -> None:
        self._journal = journal
        self._table = table
        self._lifecycle = lifecycle
        self._drain = drain
        self._calls = calls
        self._buffer = buffer
        self._read = read
        self._on_post = on_post

    def attend(self, connection: Connection) -> None:
        """Send as much of the outbox as the kernel takes, then read on, pause, or go on closing."""
        connection.attended_soon = False
        if connection.state is State.CLOSED:
            return
        if connection.outbox and connection.flush():
            connection.last_active = self._table.now
            if not connection.is_touched:
                self._on_post(connection)
        if connection.error is not None:
            self._hear_out(connection, connection.error)
        elif connection.outbox:
            self._pause(connection)
        elif connection.state is State.FLUSHING:
            self._lifecycle.shut(connection)
        elif connection.state is State.CONVERSING:
            self._table.wait_for(connection, 0)
        elif connection.interest != READABLE:
            self._read_on(connection)

    def _read_on(self, connection: Connection) -> None:
        """Read again from a connection whose outbox is empty, unless it is held."""
        if connection.held_until is not None:
            self._table.wait_for(connection, 0)
            if connection.held_until <= self._table.now:
                self.let_go(connection)
            return
        if connection.interest == WRITABLE:
            self._journal.emit(ReadingResumed(connection=connection.number, peer=connection.peer))
        self._table.wait_for(connection, READABLE)
        if connection.frame_until < math.inf:
            self._lifecycle.expect_frame(connection)  # the frame's rest may have waited in the kernel
        self._read_pending(connection)

    def let_go(self, connection: Connection) -> None:
        """Let the handler of a held connection go on, unless the client must read an answer first."""
        if connection.state is not State.WATCHED or connection.held_until is None:
            return
        if connection.held_until > self._table.now:
            return  # the handler has gone on already, and then exceeded the budget
        if connection.outbox:
            return  # `attend` goes on when the client has read the answer
        connection.held_until = None
        connection.handler.go_on()
        if connection.held_until is None:
            self.attend(connection)
            if self._table.draining and connection.state is State.WATCHED:
                self._drain.finish_answered(connection)

    def _read_pending(self, connection: Connection) -> None:
        """Read decrypted bytes that no poller reports, if the connection may be read from."""
        if connection.state is State.WATCHED and connection.interest == READABLE and connection.pending:
            self._read([connection])

    def _hear_out(self, connection: Connection, error: OSError) -> None:
        """Let the service react to the earlier input of a broken connection, a read a round, then close it."""
        if connection.state is not State.WATCHED or error.errno not in _OVER or self._is_held(connection):
            self._lifecycle.end_broken(connection, error)
            return
        if connection.held_until is not None:
            return  # `let_go` comes in a moment
        self._table.wait_for(connection, connection.interest or READABLE)  # so that the poller reports it again
        try:
            count = connection.sock.recv_into(self._buffer)
        except BlockingIOError:
            return  # a part of a TLS record: the poller goes on reporting a broken connection
        except OSError:
            count = 0
        if count:
            connection.count_received(count)
            connection.handler.received(memoryview(self._buffer)[:count])
        else:
            # Behind the calls that the service has added: these may end the connection, too.
            self._calls.add_and_wake(self._break_off, connection)

    def _is_held(self, connection: Connection) -> bool:
        return connection.held_until is not None and connection.held_until > self._table.now

    def _break_off(self, connection: Connection) -> None:
        if connection.state is State.WATCHED and connection.error is not None:
            self._lifecycle.end_broken(connection, connection.error)

    def _pause(self, connection: Connection) -> None:
        if connection.state is State.WATCHED and connection.interest != WRITABLE:
            waiting = len(connection.outbox)
            self._journal.emit(ReadingPaused(connection=connection.number, peer=connection.peer, queued_bytes=waiting))
        self._table.wait_for(connection, WRITABLE)
