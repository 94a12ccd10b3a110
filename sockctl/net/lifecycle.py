"""How connections end: when the client has ended its side, when a time is up, when it breaks, at the server's stop.

One owner, the event thread, closes; it alone calls what is here. A connection whose input has ended is closed as soon
as its outbox is empty. One that the server ends is flushed, its sending side shut, and its input discarded until the
client ends its side or 2 s are over (up to 30 s while it still takes what the kernel holds for it): closing with unread
input makes TCP send a reset, and a reset destroys what the client hasn't read yet.

| state | ends by | next |
|---|---|---|
| CONVERSING | `interrupt`: its thread notices, and releases it | WATCHED, then as below |
| WATCHED | `finish`: the last words are said | FLUSHING |
| FLUSHING | the outbox is empty (or its time is up) | LINGERING, or CLOSED where nothing can be destroyed |
| LINGERING | the client's end, or its time | CLOSED |

A connection that breaks is closed as soon as the service has reacted to what had come before: the watcher sees to that.
A drain lets each connection answer what had come before it, then ends it as above.
"""

import contextlib
import errno
import fcntl
import math
import socket
import sys
import termios
from collections.abc import Callable

from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.events.server import ClientDisconnected, ServiceFailed
from sockctl.net.connection import Connection, State
from sockctl.net.deadlines import Deadlines
from sockctl.net.poller import READABLE, WRITABLE, Poller
from sockctl.net.traffic import Traffic
from sockctl.net.transport import TransportError

__all__ = ["ConnectionLifecycle", "failure_of"]

LINGER_S = 2.0
"""How long input is discarded for after the server shut its sending side."""
LINGER_AT_MOST_S = 30.0
"""How long a client that still takes what it was sent is lingered for."""
FLUSH_S = 10.0
"""How long a client that the server ends the connection to may take to read what is queued for it."""
LAST_WORDS_S = 1.0
"""How long a client that is put out may take for that, and as long again to end its side."""
QUIET_S = 0.5
"""A client that neither got nor sent anything for so long has nothing on its way: it need not be lingered for."""
ABANDON_S = 1.0
"""How long after the drain's end a conversation that won't end is waited for."""
FRAME_S = 10.0
"""How long a frame may take from its first byte to its last."""
_PUT_OUT = frozenset(
    {
        DisconnectReason.BANNED,
        DisconnectReason.FLOODING,
        DisconnectReason.KICKED,
        DisconnectReason.LOGIN_TIMEOUT,
        DisconnectReason.PING_TIMEOUT,
        DisconnectReason.SESSION_ENDED,
        DisconnectReason.TAKEN_OVER,
    }
)
"""Why a client that may not be here any more is put out: whether it reads or not, it is gone in a moment."""
_HOPELESS = frozenset({DisconnectReason.IDLE_TIMEOUT, DisconnectReason.SEND_TIMEOUT})
"""Why a client has gone that has not read for so long that it will not now."""
_WITHOUT_A_WORD = frozenset(
    {DisconnectReason.IDLE_TIMEOUT, DisconnectReason.SLOW_READER, DisconnectReason.TOO_MANY_PENDING}
)
"""Why a conversation ends that may wait in a send, or whose place is wanted at once: it can say nothing more."""
_VANISHED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)


class ConnectionLifecycle:
    """The connections of one event thread, their deadlines, and their ends.

    Args:
        journal: Where events are told.
        poller: What the event thread waits with.
        traffic: What tells the data events.
        idle_timeout_s: Seconds without traffic after which a connection is closed, or None.
        on_closed: Called after a connection was closed.
        let_go: Called when a connection has been held for as long as it should.

    Attributes:
        connections: Those that aren't closed, by descriptor.
        now: The time of this round, on the monotonic clock; the event thread sets it.
        due_at: When `meet_deadlines` is to be called.
        draining: Whether the server is stopping.
    """

    def __init__(
        self,
        journal: Journal,
        poller: Poller,
        traffic: Traffic,
        *,
        idle_timeout_s: float | None,
        on_closed: Callable[[Connection], None],
        let_go: Callable[[Connection], None],
    ) -> None:
        self._journal = journal
        self._poller = poller
        self._traffic = traffic
        self._idle_timeout_s = idle_timeout_s or math.inf
        self._on_closed = on_closed
        self._let_go = let_go
        self._deadlines: Deadlines[Connection] = Deadlines()
        self._drain_until = math.inf
        self.connections: dict[int, Connection] = {}
        self.now = 0.0
        self.due_at = math.inf
        self.draining = False

    def add(self, connection: Connection) -> None:
        """Take over a new connection."""
        self.connections[connection.fd] = connection
        self._set_deadline(connection, connection.last_active + self._idle_timeout_s)

    def want(self, connection: Connection, interest: int) -> None:
        """Wait for READABLE or WRITABLE, or for nothing (0): then the poller doesn't know the descriptor at all."""
        if interest == connection.interest:
            return
        if not connection.interest:
            self._poller.register(connection.fd, interest)
        elif not interest:
            self._poller.unregister(connection.fd)
        else:
            self._poller.modify(connection.fd, interest)
        connection.interest = interest

    def hold(self, connection: Connection, wait_s: float) -> None:
        """Read nothing from a connection for `wait_s` seconds; at a stop end it, if it has to wait at all."""
        if wait_s and self.draining:
            self.finish(connection, DisconnectReason.SERVER_STOPPING)
            return
        connection.held_until = self.now + wait_s
        if connection.interest == READABLE:
            self.want(connection, 0)
        if wait_s and self._deadlines.at(connection) > connection.held_until:
            self._set_deadline(connection, connection.held_until)

    # One connection.

    def end_conversation(self, connection: Connection) -> None:
        """End a connection whose conversation is over."""
        if connection.state is State.CLOSED:  # it was abandoned, and its thread has returned after all
            connection.sock.close()
            return
        connection.state = State.WATCHED
        if connection.error is None:
            ended = DisconnectReason.CLIENT_CLOSED if connection.input_ended else DisconnectReason.SERVER_CLOSED
            self.finish(connection, connection.reason or ended)
        elif connection.reason is None:
            self.broken(connection, connection.error)
        else:
            self._close(connection)  # the error is only how its thread found out

    def finish(self, connection: Connection, reason: DisconnectReason) -> None:
        """End a connection in order: flush, shut, linger, close. A conversation is told to end first."""
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
            self._close(connection)
        else:
            self.want(connection, WRITABLE)
            # A client that ended its input gets every byte, under the idle rule; a drain has its own end.
            if reason in _PUT_OUT:
                self._set_deadline(connection, self.now + LAST_WORDS_S)
            elif not connection.input_ended and not self.draining:
                self._set_deadline(connection, self.now + FLUSH_S)

    def shut(self, connection: Connection) -> None:
        """Everything is sent: close, at once where nothing can be destroyed by that, else after lingering."""
        if connection.input_ended or self._has_nothing_on_its_way(connection):
            self._close(connection)
            return
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        connection.end_sending(State.LINGERING)
        connection.unacked = _unacked_bytes(connection.fd)
        put_out = connection.reason in _PUT_OUT
        connection.linger_until = self.now + (LAST_WORDS_S if put_out else LINGER_AT_MOST_S)
        self.want(connection, READABLE)
        self._set_deadline(connection, self.now + (LAST_WORDS_S if put_out else LINGER_S))

    def discard(self, connection: Connection, buffer: bytearray) -> None:
        """Throw away what comes after the server has said its last."""
        if connection.state is State.CONVERSING:
            self.want(connection, 0)  # an error was reported: its handler finds out by itself
            return
        try:
            if connection.sock.recv_into(buffer):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # a reset ends it as well as a FIN does
        self._close(connection)

    def broken(self, connection: Connection, error: OSError) -> None:
        """End a connection that the system reports an error for."""
        if connection.state is State.CONVERSING:
            connection.note_error(error)  # its handler finds out by itself, and then releases it
            self.want(connection, 0)
            return
        told_so = connection.reason in {DisconnectReason.PROTOCOL_ERROR, DisconnectReason.TLS_ERROR}
        if connection.state is not State.LINGERING and not told_so:
            connection.reason = _reason_of(error)
        self._close(connection)

    def failed(self, connection: Connection, error: Exception) -> None:
        """End a connection on which the service failed."""
        self._journal.emit(failure_of(connection, error))
        if connection.state is State.CONVERSING:
            connection.interrupt(DisconnectReason.INTERNAL_ERROR, socket.SHUT_RDWR)
            return
        connection.reason = DisconnectReason.INTERNAL_ERROR
        self._close(connection)

    def guard(self, call: Callable[[Connection], None], connections: list[Connection]) -> None:
        """Make `call` for each connection; a defect on one ends that one only."""
        for connection in connections:
            try:
                call(connection)
            except Exception as error:  # noqa: BLE001  a defect on one connection must not end the others
                self.failed(connection, error)

    def _interrupt(self, connection: Connection, reason: DisconnectReason) -> None:
        """Tell a conversation to end. While draining it still reads what has come, and can send its last words."""
        if reason is DisconnectReason.SERVER_STOPPING:
            connection.reason = connection.reason or reason  # read by its thread, which the drain wakes
        else:
            connection.interrupt(reason, socket.SHUT_RDWR if reason in _WITHOUT_A_WORD else socket.SHUT_RD)
            connection.cut_at = self.now + LAST_WORDS_S
            self._set_deadline(connection, connection.cut_at)

    def _has_nothing_on_its_way(self, connection: Connection) -> bool:
        if connection.bytes_out and _unacked_bytes(connection.fd):
            return False
        if connection.reason is DisconnectReason.SERVER_STOPPING:
            return connection.bytes_out == 0 or self.now - connection.last_active >= QUIET_S
        return connection.reason is DisconnectReason.IDLE_TIMEOUT

    def _close(self, connection: Connection) -> None:
        """Free the socket and tell it. No thread sends any more, so none can reach a later client on its descriptor."""
        if connection.state is State.CLOSED:
            return
        with contextlib.suppress(OSError):
            self.want(connection, 0)
        del self.connections[connection.fd]
        self._deadlines.clear(connection)
        connection.end_sending(State.CLOSED)
        connection.sock.close()
        self._tell_end(connection)

    def _tell_end(self, connection: Connection) -> None:
        self._traffic.settle(connection, self.now)
        self._on_closed(connection)
        reason = connection.reason or DisconnectReason.SERVER_CLOSED
        self._journal.emit(
            ClientDisconnected(
                connection=connection.number,
                peer=connection.peer,
                reason=reason,
                bytes_in=connection.bytes_in,
                bytes_out=connection.bytes_out,
                seconds=round(self.now - connection.started, 3),
            )
        )
        try:
            connection.handler.closed(reason)
        except Exception as error:  # noqa: BLE001  as in guard, but the connection is gone
            self._journal.emit(failure_of(connection, error))

    # Time.

    def expect_frame(self, connection: Connection) -> None:
        """Note that a frame has begun now: it must be complete within 10 s."""
        connection.frame_until = self.now + FRAME_S
        if self._deadlines.at(connection) > connection.frame_until:
            self._set_deadline(connection, connection.frame_until)

    def meet_deadlines(self) -> None:
        """Do what is due."""
        self.guard(self._expired, self._deadlines.take_expired(self.now))
        if self.now >= self._drain_until:
            self._end_drain()
        self.due_at = min(self._deadlines.next_at(), self._drain_until)

    def _set_deadline(self, connection: Connection, at: float) -> None:
        if at < math.inf:
            self._deadlines.set(connection, at)
            self.due_at = min(self.due_at, at)

    def _expired(self, connection: Connection) -> None:
        match connection.state:
            case State.CONVERSING if connection.cut_at <= self.now:
                connection.interrupt(DisconnectReason.SERVER_CLOSED, socket.SHUT_RDWR)  # the reason is there already
            case State.WATCHED | State.CONVERSING:
                self._check_activity(connection)
            case State.LINGERING if self._linger_on(connection):
                return
            case State.FLUSHING if connection.input_ended and connection.reason not in _PUT_OUT:
                if not self._was_active(connection):
                    connection.reason = DisconnectReason.IDLE_TIMEOUT
                    self._close(connection)
            case _:
                self._close(connection)

    def _check_activity(self, connection: Connection) -> None:
        if connection.held_until is not None and connection.held_until <= self.now:
            self._let_go(connection)
            if connection.state is not State.WATCHED:
                return
        if connection.frame_until <= self.now:
            if connection.interest == READABLE:
                connection.handler.frame_expired()
                self.finish(connection, DisconnectReason.PROTOCOL_ERROR)
                return
            connection.frame_until = self.now + FRAME_S  # it is not read from: its bytes may wait in the kernel
        if not self._was_active(connection):
            self.finish(connection, DisconnectReason.IDLE_TIMEOUT)

    def _was_active(self, connection: Connection) -> bool:
        """Return whether the connection is not idle for too long; if so, it is looked at again when it might be."""
        idle_until = connection.last_active + self._idle_timeout_s
        if idle_until <= self.now:
            return False
        held_until = connection.held_until
        if held_until is None or held_until <= self.now:  # then it goes on when the client has taken an answer
            held_until = math.inf
        self._set_deadline(connection, min(idle_until, connection.frame_until, held_until))
        return True

    def _linger_on(self, connection: Connection) -> bool:
        """Linger for another while if the client has taken some of what it was sent, and not all."""
        before, connection.unacked = connection.unacked, _unacked_bytes(connection.fd)
        if not 0 < connection.unacked < before or self.now >= connection.linger_until:
            return False
        self._set_deadline(connection, self.now + LINGER_S)
        return True

    # The server's stop.

    def drain(self, until: float) -> None:
        """Answer what has come, end every connection, and at `until` close those that are left as they are."""
        self.draining = True
        self._drain_until = until
        self.due_at = min(self.due_at, until)
        self.guard(self.begin_drain, list(self.connections.values()))

    def begin_drain(self, connection: Connection) -> None:
        """Begin the end of one connection: what had come before is still answered."""
        if connection.state is State.WATCHED and (connection.held_until or 0.0) <= self.now:
            connection.drain_at = connection.raw_bytes_in + _unread_bytes(connection.fd)
            self.drain_connection(connection)
        else:
            self.finish(connection, DisconnectReason.SERVER_STOPPING)

    def drain_connection(self, connection: Connection) -> None:
        """End the connection once the input that had come before the drain is answered."""
        if connection.raw_bytes_in >= connection.drain_at and connection.held_until is None:
            self.finish(connection, DisconnectReason.SERVER_STOPPING)

    def _end_drain(self) -> None:
        """The time is up: close what is left as it is. A conversation gets a moment to notice."""
        self._drain_until = self.now + ABANDON_S
        self.guard(self._cut_off, list(self.connections.values()))

    def _cut_off(self, connection: Connection) -> None:
        if connection.state is not State.CONVERSING:
            if connection.state is not State.LINGERING or _unacked_bytes(connection.fd):
                connection.reason = DisconnectReason.DRAIN_TIMEOUT
            self._close(connection)
        elif connection.reason is DisconnectReason.DRAIN_TIMEOUT:
            del self.connections[connection.fd]  # its thread is stuck, and may still use the socket: that stays
            self._deadlines.clear(connection)
            connection.end_sending(State.CLOSED)
            self._tell_end(connection)
        else:
            connection.reason = DisconnectReason.DRAIN_TIMEOUT
            connection.interrupt(DisconnectReason.DRAIN_TIMEOUT, socket.SHUT_RDWR)


def failure_of(connection: Connection, error: Exception) -> ServiceFailed:
    """Return the event that the service has failed on a connection."""
    what = f"{type(error).__name__}: {error}"
    return ServiceFailed(connection=connection.number, peer=connection.peer, error=what)


def _reason_of(error: OSError) -> DisconnectReason:
    if isinstance(error, TransportError):
        return DisconnectReason.TLS_ERROR
    return DisconnectReason.CLIENT_VANISHED if error.errno in _VANISHED else DisconnectReason.CLIENT_RESET


def _unread_bytes(fd: int) -> int:
    """Return how many bytes wait in the kernel's receive buffer."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


def _unacked_bytes(fd: int) -> int:
    """Return how many bytes the other side's kernel has not acknowledged yet (SIOCOUTQ, as Linux calls it)."""
    try:
        return int.from_bytes(fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 1  # this system doesn't tell it for sockets: there may be some
