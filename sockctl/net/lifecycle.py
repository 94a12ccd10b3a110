"""How connections end: when the client ends its side, when a time is up, when they break, and when the server stops.

One owner, the event thread, closes connections; only this thread calls the lifecycle. It closes a connection whose
input has ended as soon as the outbox is empty. To end any other one, it flushes the outbox, shuts the sending side, and
discards input until the client ends its side, for 2 s at most (30 s while the client still reads). For closing with
unread input makes TCP send a reset, which destroys the bytes that the client hasn't read yet.

| state | ends by | next |
|---|---|---|
| CONVERSING | `interrupt`: the handler thread notices, and releases it | WATCHED, then as below |
| WATCHED | `finish`: the last words are sent | FLUSHING |
| FLUSHING | the outbox is empty (or its time is up) | LINGERING, or CLOSED if a reset can destroy nothing |
| LINGERING | the client's end, or its time | CLOSED |

The event thread closes a broken connection as soon as the service has reacted to its earlier input (`flow_control`). A
drain (`drain`) lets each connection answer its earlier input, then ends it as above. The module is longer than others,
since all steps from one state to the next stand here together.
"""

import contextlib
import errno
import math
import socket
from collections.abc import Callable

from sockctl.events.connection import ClientDisconnected
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection, State
from sockctl.net.connection_table import ConnectionTable
from sockctl.net.kernel_queues import count_unacked_bytes
from sockctl.net.limits import Timeouts
from sockctl.net.poller import READABLE, WRITABLE
from sockctl.net.traffic import Traffic
from sockctl.net.transport import TransportError

_HOPELESS = frozenset({DisconnectReason.IDLE_TIMEOUT, DisconnectReason.SEND_TIMEOUT})
"""The reasons for closing without a flush: the client has not read for so long that it never will."""
_WITHOUT_A_WORD = frozenset(
    {DisconnectReason.IDLE_TIMEOUT, DisconnectReason.SLOW_READER, DisconnectReason.TOO_MANY_PENDING}
)
"""The reasons for cutting off a conversation without last words: it may block in a send, or another client needs the
place at once.
"""
_VANISHED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)


class ConnectionLifecycle:
    """Ends the connections of one event thread. Only this thread calls it.

    Args:
        journal: Takes the events.
        table: The connections.
        traffic: Emits the data events.
        timeouts: How long each step may take.
        on_closed: Called after a connection was closed.

    Attributes:
        let_go: Called when the hold of a connection is over; the event loop sets it.
    """

    def __init__(
        self,
        journal: Journal,
        table: ConnectionTable,
        traffic: Traffic,
        timeouts: Timeouts,
        *,
        on_closed: Callable[[Connection], None],
    ) -> None:
        self._journal = journal
        self._table = table
        self._traffic = traffic
        self._timeouts = timeouts
        self._idle_s = timeouts.idle_s or math.inf
        self._on_closed = on_closed
        self.let_go: Callable[[Connection], None]

    def add(self, connection: Connection) -> None:
        """Take over a new connection."""
        self._table.add(connection)
        self._table.set_deadline(connection, connection.last_active + self._idle_s)

    def hold(self, connection: Connection, wait_s: float) -> None:
        """Read nothing from a connection for `wait_s` seconds; a stopping server ends it instead of waiting."""
        if wait_s and self._table.draining:
            self.finish(connection, DisconnectReason.SERVER_STOPPING)
            return
        connection.held_until = self._table.now + wait_s
        if connection.interest == READABLE:
            self._table.wait_for(connection, 0)
        if wait_s:
            self._table.set_deadline(connection, connection.held_until, sooner_only=True)

    def stay(self, connection: Connection) -> bool:
        """Hold a connection whose input has ended as long as its handler wants; return whether it does."""
        wait_s, connection.stay_s = connection.stay_s, 0.0
        if wait_s:
            self.hold(connection, wait_s)
        return bool(wait_s)

    # One connection.

    def end_conversation(self, connection: Connection) -> None:
        """End a connection whose conversation is over."""
        if connection.state is State.CLOSED:  # a drain has abandoned it, and its thread returns after all
            connection.sock.close()
            return
        connection.state = State.WATCHED
        if connection.error is None:
            ended = DisconnectReason.CLIENT_CLOSED if connection.input_ended else DisconnectReason.SERVER_CLOSED
            self.finish(connection, connection.reason or ended)
        elif connection.reason is None:
            self.end_broken(connection, connection.error)
        else:
            self.close(connection)  # the error is the effect of an interrupt

    def finish(self, connection: Connection, reason: Reason) -> None:
        """End a connection in order: flush, shut, linger, close. Interrupt a conversation first."""
        if connection.state is State.CONVERSING:
            self._interrupt(connection, reason)
            return
        if connection.state is not State.WATCHED:
            return
        connection.reason = reason
        connection.handler.ending(reason)
        connection.end_sending(State.FLUSHING)
        if not connection.outbox:
            self.shut(connection)
        elif reason in _HOPELESS:
            self.close(connection)
        else:
            self._table.wait_for(connection, WRITABLE)
            # A client that has ended its input gets every byte, under the idle timeout; a drain has its own deadline.
            if reason.puts_out:
                self._table.set_deadline(connection, self._table.now + self._timeouts.last_words_s)
            elif not connection.input_ended and not self._table.draining:
                self._table.set_deadline(connection, self._table.now + self._timeouts.flush_s)

    def shut(self, connection: Connection) -> None:
        """Close a connection whose outbox is empty: at once if a reset can destroy nothing, else after lingering."""
        if connection.input_ended or self._has_nothing_on_its_way(connection):
            self.close(connection)
            return
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(connection)
            return
        connection.end_sending(State.LINGERING)
        connection.unacked = count_unacked_bytes(connection.fd)
        put_out = connection.reason is not None and connection.reason.puts_out
        times = self._timeouts
        connection.linger_until = self._table.now + (times.last_words_s if put_out else times.linger_at_most_s)
        self._table.wait_for(connection, READABLE)
        self._table.set_deadline(connection, self._table.now + (times.last_words_s if put_out else times.linger_s))

    def discard(self, connection: Connection, buffer: bytearray) -> None:
        """Discard the input of a connection whose sending side is shut."""
        if connection.state is State.CONVERSING:
            self._table.wait_for(connection, 0)  # the poller reported an error, which its handler thread finds itself
            return
        try:
            if connection.sock.recv_into(buffer):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # a reset ends it as well as a FIN does
        self.close(connection)

    def end_unreadable(self, connection: Connection, error: OSError) -> None:
        """End a connection that failed to read, unless it only has no input yet."""
        if not isinstance(error, BlockingIOError):
            self.end_broken(connection, error)

    def end_broken(self, connection: Connection, error: OSError) -> None:
        """End a connection for which the system reports an error."""
        if connection.state is State.CONVERSING:
            connection.note_error(error)  # its handler thread finds the error itself, and releases the connection
            self._table.wait_for(connection, 0)
            return
        told_so = connection.reason in {DisconnectReason.PROTOCOL_ERROR, DisconnectReason.TLS_ERROR}
        if connection.state is not State.LINGERING and not told_so:
            connection.reason = _find_reason(error)
        self.close(connection)

    def end_failed(self, connection: Connection, error: Exception) -> None:
        """End a connection on which the service failed."""
        self._journal.emit(connection.make_failure(error))
        if connection.state is State.CONVERSING:
            connection.interrupt(DisconnectReason.INTERNAL_ERROR, socket.SHUT_RDWR)
            return
        connection.reason = DisconnectReason.INTERNAL_ERROR
        self.close(connection)

    def guard(self, call: Callable[[Connection], None], connections: list[Connection]) -> None:
        """Make `call` for each connection; a defect on one ends that one only."""
        for connection in connections:
            try:
                call(connection)
            except Exception as error:  # noqa: BLE001  a defect on one connection must not end the others
                self.end_failed(connection, error)

    def _interrupt(self, connection: Connection, reason: Reason) -> None:
        """Interrupt a conversation. In a drain, it still reads its earlier input, and can send its last words."""
        if reason is DisconnectReason.SERVER_STOPPING:
            connection.reason = connection.reason or reason  # its thread reads it, when the drain wakes it
        else:
            connection.interrupt(reason, socket.SHUT_RDWR if reason in _WITHOUT_A_WORD else socket.SHUT_RD)
            connection.cut_at = self._table.now + self._timeouts.last_words_s
            self._table.set_deadline(connection, connection.cut_at)

    def _has_nothing_on_its_way(self, connection: Connection) -> bool:
        if connection.bytes_out and count_unacked_bytes(connection.fd):
            return False
        if connection.reason is DisconnectReason.SERVER_STOPPING:
            return connection.bytes_out == 0 or self._table.now - connection.last_active >= self._timeouts.quiet_s
        return connection.reason is DisconnectReason.IDLE_TIMEOUT

    def close(self, connection: Connection) -> None:
        """Close the socket, and emit that. No thread sends any more, so none reaches the descriptor's next client."""
        if connection.state is State.CLOSED:
            return
        with contextlib.suppress(OSError):
            self._table.wait_for(connection, 0)
        self.abandon(connection, socket_too=True)

    def abandon(self, connection: Connection, *, socket_too: bool = False) -> None:
        """Forget a connection, and emit its end; a stuck handler thread may still use its socket."""
        self._table.remove(connection)
        connection.end_sending(State.CLOSED)
        if socket_too:
            connection.sock.close()
        self._tell_end(connection)

    def _tell_end(self, connection: Connection) -> None:
        self._traffic.settle(connection, self._table.now)
        self._on_closed(connection)
        reason = connection.reason or DisconnectReason.SERVER_CLOSED
        self._journal.emit(
            ClientDisconnected(
                connection=connection.number,
                peer=connection.peer,
                reason=reason,
                bytes_in=connection.bytes_in,
                bytes_out=connection.bytes_out,
                seconds=round(self._table.now - connection.started, 3),
            )
        )
        try:
            connection.handler.closed(reason)
        except Exception as error:  # noqa: BLE001  as in guard, but the connection is gone
            self._journal.emit(connection.make_failure(error))

    # Time.

    def expect_frame(self, connection: Connection) -> None:
        """Set the deadline of a frame that begins now."""
        connection.frame_until = self._table.now + self._timeouts.frame_s
        self._table.set_deadline(connection, connection.frame_until, sooner_only=True)

    def meet_deadlines(self) -> None:
        """Act on the deadlines that have come."""
        self.guard(self._expire, self._table.remove_expired())
        self._table.find_next_deadline()

    def _expire(self, connection: Connection) -> None:
        match connection.state:
            case State.CONVERSING if connection.cut_at <= self._table.now:
                connection.interrupt(DisconnectReason.SERVER_CLOSED, socket.SHUT_RDWR)  # an earlier reason stays
            case State.WATCHED | State.CONVERSING:
                self._check_activity(connection)
            case State.LINGERING if self._linger_on(connection):
                return
            case State.FLUSHING if connection.input_ended and not (connection.reason and connection.reason.puts_out):
                if not self._was_active(connection):
                    connection.reason = DisconnectReason.IDLE_TIMEOUT
                    self.close(connection)
            case _:
                self.close(connection)

    def _check_activity(self, connection: Connection) -> None:
        if connection.held_until is not None and connection.held_until <= self._table.now:
            self.let_go(connection)
            if connection.state is not State.WATCHED:
                return
        if connection.frame_until <= self._table.now:
            if connection.interest == READABLE:
                connection.handler.frame_expired()
                self.finish(connection, DisconnectReason.PROTOCOL_ERROR)
                return
            # The event thread doesn't read now: the rest of the frame may wait in the kernel.
            connection.frame_until = self._table.now + self._timeouts.frame_s
        if not self._was_active(connection):
            self.finish(connection, DisconnectReason.IDLE_TIMEOUT)

    def _was_active(self, connection: Connection) -> bool:
        """Return whether the connection has moved bytes within the idle timeout; if so, set the next deadline."""
        idle_until = connection.last_active + self._idle_s
        if idle_until <= self._table.now:
            return False
        held_until = connection.held_until
        if held_until is None or held_until <= self._table.now:  # a hold that is over ends with the outbox
            held_until = math.inf
        self._table.set_deadline(connection, min(idle_until, connection.frame_until, held_until))
        return True

    def _linger_on(self, connection: Connection) -> bool:
        """Linger for another while if the client has read some of the sent bytes, and not all."""
        before, connection.unacked = connection.unacked, count_unacked_bytes(connection.fd)
        if not 0 < connection.unacked < before or self._table.now >= connection.linger_until:
            return False
        self._table.set_deadline(connection, self._table.now + self._timeouts.linger_s)
        return True


def _find_reason(error: OSError) -> Reason:
    if isinstance(error, TransportError):
        return DisconnectReason.TLS_ERROR
    return DisconnectReason.CLIENT_VANISHED if error.errno in _VANISHED else DisconnectReason.CLIENT_RESET
