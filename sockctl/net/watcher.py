"""The watcher: one event thread that holds all connections which nobody has to be waited for.

How it works, in the order in which things happen:

1. The accepting thread hands over each new connection (`add`). From then on the watcher knows it, keeps its deadlines,
   and is the only one to close it. A connection with a conversation is not read from until its handler thread is done
   (`release`).
2. The thread waits for all descriptors at once, level-triggered, and asks each ready one for what is there, up to
   64 KiB at a time, in one buffer that belongs to the thread: 10,000 connections share it. One read per ready
   connection and round keeps it fair.
3. What was read goes to the service as a view of that buffer. The service answers with `post`, which sends at once and
   puts what the kernel doesn't take into the connection's outbox.
4. While anything waits in a connection's outbox, nothing more is read from it. So a client that doesn't read stops
   itself (flow control) and costs the memory of one answer.
5. Whatever other threads want of the event thread, they put into a queue and wake it by a byte on a socket pair.

Closing: a connection whose input has ended is closed as soon as its outbox is empty. One that the server ends is
flushed, its sending side shut, and its input discarded until the client ends its side or 2 s are over (up to 30 s while
it still takes what the kernel holds for it): closing with unread input makes TCP send a reset, and a reset destroys
what the client hasn't read yet.

Why one thread: with a thread per connection, CPython's global lock makes active connections wait for each other, and
the cost grows with their number. Waiting for all of them in one place keeps the cost per message flat.
"""

import contextlib
import errno
import fcntl
import math
import socket
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable

from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.events.server import ClientDisconnected, InputEnded, ReadingPaused, ReadingResumed, ServiceFailed
from sockctl.net.connection import READ_BYTES, Connection, State
from sockctl.net.deadlines import Deadlines
from sockctl.net.poller import READABLE, WRITABLE, Poller, open_poller
from sockctl.net.traffic import Traffic

__all__ = ["Watcher"]

LINGER_S = 2.0
"""How long input is discarded for after the server shut its sending side."""
LINGER_AT_MOST_S = 30.0
"""How long a client that still takes what it was sent is lingered for."""
FLUSH_S = 10.0
"""How long a client that the server ends the connection to may take to read what is queued for it."""
QUIET_S = 0.5
"""A client that neither got nor sent anything for so long has nothing on its way: it need not be lingered for."""
ABANDON_S = 1.0
"""How long after the drain's end a conversation that won't end is waited for."""
MAX_WAIT_S = 60.0
_VANISHED = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)


class Watcher:
    """An event thread and its connections.

    Args:
        journal: Where events are told.
        idle_timeout_s: Seconds without traffic after which a connection is closed, or None.
        on_closed: Called by the event thread after it closed a connection.
    """

    def __init__(
        self, journal: Journal, *, idle_timeout_s: float | None, on_closed: Callable[[Connection], None]
    ) -> None:
        self._journal = journal
        self._idle_timeout_s = idle_timeout_s
        self._on_closed = on_closed
        self._connections: dict[int, Connection] = {}
        self._poller: Poller = open_poller()
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._interrupter, self._interrupted = socket.socketpair()  # readable once a drain interrupts conversations
        self._wake_sent = False
        # Filled by any thread, emptied by the event thread; a deque's append and popleft need no lock.
        self._calls: deque[tuple[Callable[[Connection], None], Connection]] = deque()
        self._touched: deque[Connection] = deque()
        self._drain_asked: float | None = None
        self._traffic = Traffic(journal)
        self._deadlines: Deadlines[Connection] = Deadlines()
        self._next_due = math.inf
        self._draining = False
        self._drain_until = math.inf
        self._now = time.monotonic()
        self._poller.register(self._woken.fileno(), READABLE)
        self._thread = threading.Thread(target=self._run, name="sockctl-watcher", daemon=True)

    # For every thread.

    def start(self) -> None:
        """Start the event thread."""
        self._thread.start()

    def add(self, connection: Connection, *, conversing: bool) -> None:
        """Take over a new connection; with `conversing` it is not read from before `release`."""
        connection.state = State.CONVERSING if conversing else State.WATCHED
        connection.on_post = self._posted
        connection.interrupt_fd = self._interrupted.fileno()
        self._call_soon(self._add, connection)

    def release(self, connection: Connection, *, watch: bool) -> None:
        """End a conversation: watch the connection from now on, or close it. Its handler thread calls it last."""
        if self._thread.is_alive():
            self._call_soon(self._watch if watch else self._end_conversation, connection)
        else:
            self._end_conversation(connection)

    def close(self, connection: Connection, reason: DisconnectReason) -> None:
        """End a connection: what is queued for it is still sent."""
        self._call_soon(lambda one: self._finish(one, reason), connection)

    def drain(self, timeout_s: float) -> None:
        """Answer what has been received, then close every connection and end the event thread.

        Connections that are not done after `timeout_s` seconds are closed as they are.
        """
        self._drain_asked = time.monotonic() + timeout_s
        self._wake()

    def join(self, timeout_s: float) -> bool:
        """Wait until the event thread has ended, and return whether it has and closed every connection."""
        self._thread.join(min(timeout_s, threading.TIMEOUT_MAX))
        return not self._thread.is_alive() and not self._connections

    def _call_soon(self, call: Callable[[Connection], None], connection: Connection) -> None:
        self._calls.append((call, connection))
        self._wake()

    def _wake(self) -> None:
        # Set after the queue was filled, reset before it is emptied: at worst a wake-up too many, never one too few.
        if not self._wake_sent:
            self._wake_sent = True
            with contextlib.suppress(OSError):  # full: it is awake; closed: it has ended
                self._waker.send(b"\0")

    def _posted(self, connection: Connection) -> None:
        """See to it that traffic is told and the outbox emptied; any thread."""
        if not connection.untold:
            connection.untold = True
            self._touched.append(connection)
        if threading.current_thread() is self._thread:
            return  # _read looks at the outbox when the service has reacted
        if connection.outbox or connection.error is not None:
            self._call_soon(self._attend, connection)
        else:
            self._wake()

    # Everything below runs in the event thread.

    def _run(self) -> None:
        connections = self._connections
        poll = self._poller.poll
        read = self._read
        watched = State.WATCHED
        now = self._now
        while connections or not self._draining:
            ready = poll(max(0.0, min(self._next_due - now, MAX_WAIT_S)))
            now = self._now = time.monotonic()
            for fd, mask in ready:
                connection = connections.get(fd)
                if connection is None:
                    self._take_wakes()  # or a descriptor that was closed earlier in this round
                    continue
                try:
                    if mask & WRITABLE:
                        self._attend(connection)
                    elif connection.state is watched:
                        read(connection)
                    else:
                        self._discard(connection)
                except Exception as error:  # noqa: BLE001  a defect on one connection must not end the others
                    self._failed(connection, error)
            self._end_round()
        self._make_calls()
        self._poller.close()
        for sock in (self._waker, self._woken, self._interrupter, self._interrupted):
            sock.close()

    def _end_round(self) -> None:
        """Do what other threads asked for, and what is due."""
        # Read before the calls are made: so who was added before the drain was asked for takes part in it.
        drain_asked = self._drain_asked
        if self._calls:
            self._make_calls()
        if self._touched:
            self._tell_touched()
        if drain_asked is not None and not self._draining:
            self._drain(drain_asked)
        if self._now >= self._next_due:
            self._meet_deadlines()

    def _read(self, connection: Connection) -> None:
        """Read once and let the service react. The hot path: each line of it is paid for with every message."""
        try:
            count = connection.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(connection, error)
            return
        if not count:
            self._end_input(connection)
            return
        connection.last_active = self._now
        connection.bytes_in += count
        connection.portions_in += -(-count // connection.portion)
        if not connection.untold:
            connection.untold = True
            self._touched.append(connection)
        connection.on_data(self._view[:count])
        if connection.outbox or connection.error is not None:
            self._attend(connection)
        if self._draining:
            connection.unread -= count
            self._drain_connection(connection)

    def _end_input(self, connection: Connection) -> None:
        """The client shut its sending side: let the service say its last, then close."""
        connection.input_ended = True
        self._journal.tell(InputEnded(connection=connection.number, peer=connection.peer))
        connection.on_end()
        if connection.error is not None:
            self._broken(connection, connection.error)
        else:
            self._finish(connection, DisconnectReason.CLIENT_CLOSED)

    def _attend(self, connection: Connection) -> None:
        """Empty the outbox as far as the client takes it, and see to what follows from that."""
        if connection.state is State.CLOSED:
            return
        if connection.outbox and connection.flush():
            connection.last_active = self._now
            if not connection.untold:
                self._posted(connection)
        if connection.error is not None:
            self._broken(connection, connection.error)
        elif connection.outbox:
            self._pause(connection)
        elif connection.state is State.FLUSHING:
            self._shut(connection)
        elif connection.state is State.CONVERSING:
            self._want(connection, 0)
        elif connection.interest != READABLE:
            self._journal.tell(ReadingResumed(connection=connection.number, peer=connection.peer))
            self._want(connection, READABLE)

    def _pause(self, connection: Connection) -> None:
        if connection.state is State.WATCHED and connection.interest != WRITABLE:
            waiting = len(connection.outbox)
            self._journal.tell(ReadingPaused(connection=connection.number, peer=connection.peer, queued_bytes=waiting))
        self._want(connection, WRITABLE)

    def _discard(self, connection: Connection) -> None:
        """Throw away what comes after the server has said its last."""
        if connection.state is State.CONVERSING:
            self._want(connection, 0)  # an error was reported: its handler finds out by itself
            return
        try:
            if connection.recv_into(self._buffer):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # a reset ends it as well as a FIN does
        self._close(connection)

    def _want(self, connection: Connection, interest: int) -> None:
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

    # Beginning and ending.

    def _add(self, connection: Connection) -> None:
        self._connections[connection.fd] = connection
        if self._idle_timeout_s:
            self._set_deadline(connection, connection.last_active + self._idle_timeout_s)
        if connection.state is State.WATCHED:
            self._want(connection, READABLE)
        if self._draining:
            self._begin_drain(connection)

    def _watch(self, connection: Connection) -> None:
        """Go on by reacting: the conversation is over, the connection isn't."""
        if connection.reason is not None or connection.error is not None or connection.state is State.CLOSED:
            self._end_conversation(connection)
            return
        connection.state = State.WATCHED
        self._want(connection, READABLE)
        self._attend(connection)
        if self._draining:
            self._begin_drain(connection)

    def _end_conversation(self, connection: Connection) -> None:
        if connection.state is State.CLOSED:  # it was abandoned, and its thread has returned after all
            connection.sock.close()
            return
        connection.state = State.WATCHED
        if connection.error is None:
            ended = DisconnectReason.CLIENT_CLOSED if connection.input_ended else DisconnectReason.SERVER_CLOSED
            self._finish(connection, connection.reason or ended)
        elif connection.reason is None:
            self._broken(connection, connection.error)
        else:
            self._close(connection)  # the error is only how its thread found out

    def _finish(self, connection: Connection, reason: DisconnectReason) -> None:
        """End a connection in order: flush, shut, linger, close. A conversation is told to end first."""
        if connection.state is State.CONVERSING:
            self._interrupt(connection, reason)
            return
        if connection.state is not State.WATCHED:
            return
        connection.reason = reason
        connection.end_sending(State.FLUSHING)
        if not connection.outbox:
            self._shut(connection)
        elif reason is DisconnectReason.IDLE_TIMEOUT:
            self._close(connection)  # it has not read for all that time: it will not now
        else:
            self._want(connection, WRITABLE)
            # A client that ended its input gets every byte, under the idle rule; a drain has its own end.
            if not connection.input_ended and not self._draining:
                self._set_deadline(connection, self._now + FLUSH_S)

    def _interrupt(self, connection: Connection, reason: DisconnectReason) -> None:
        """Tell a conversation to end. While draining it still reads what has come, and can send its last words."""
        if reason is DisconnectReason.SERVER_STOPPING:
            connection.reason = connection.reason or reason  # read by its thread, which the drain wakes
        else:
            idle = reason is DisconnectReason.IDLE_TIMEOUT
            connection.interrupt(reason, socket.SHUT_RDWR if idle else socket.SHUT_RD)

    def _shut(self, connection: Connection) -> None:
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
        connection.linger_until = self._now + LINGER_AT_MOST_S
        self._want(connection, READABLE)
        self._set_deadline(connection, self._now + LINGER_S)

    def _has_nothing_on_its_way(self, connection: Connection) -> bool:
        if connection.bytes_out and _unacked_bytes(connection.fd):
            return False
        if connection.reason is DisconnectReason.SERVER_STOPPING:
            return connection.bytes_out == 0 or self._now - connection.last_active >= QUIET_S
        return connection.reason is DisconnectReason.IDLE_TIMEOUT

    def _linger_on(self, connection: Connection) -> bool:
        """Linger for another while if the client has taken some of what it was sent, and not all."""
        before, connection.unacked = connection.unacked, _unacked_bytes(connection.fd)
        if not 0 < connection.unacked < before or self._now >= connection.linger_until:
            return False
        self._set_deadline(connection, self._now + LINGER_S)
        return True

    def _broken(self, connection: Connection, error: OSError) -> None:
        if connection.state is State.CONVERSING:
            connection.error = error  # its handler finds out by itself, and then releases it
            self._want(connection, 0)
            return
        if connection.state is not State.LINGERING:
            vanished = error.errno in _VANISHED
            connection.reason = DisconnectReason.CLIENT_VANISHED if vanished else DisconnectReason.CLIENT_RESET
        self._close(connection)

    def _failed(self, connection: Connection, error: Exception) -> None:
        what = f"{type(error).__name__}: {error}"
        self._journal.tell(ServiceFailed(connection=connection.number, peer=connection.peer, error=what))
        if connection.state is State.CONVERSING:
            connection.interrupt(DisconnectReason.INTERNAL_ERROR, socket.SHUT_RDWR)
            return
        connection.reason = DisconnectReason.INTERNAL_ERROR
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        """Free the socket and tell it. No thread sends any more, so none can reach a later client on its descriptor."""
        if connection.state is State.CLOSED:
            return
        with contextlib.suppress(OSError):
            self._want(connection, 0)
        del self._connections[connection.fd]
        self._deadlines.clear(connection)
        connection.end_sending(State.CLOSED)
        connection.sock.close()
        self._tell_end(connection)

    def _tell_end(self, connection: Connection) -> None:
        self._traffic.settle(connection, self._now)
        self._on_closed(connection)
        self._journal.tell(
            ClientDisconnected(
                connection=connection.number,
                peer=connection.peer,
                reason=connection.reason or DisconnectReason.SERVER_CLOSED,
                bytes_in=connection.bytes_in,
                bytes_out=connection.bytes_out,
                seconds=round(self._now - connection.started, 3),
            )
        )

    # Draining.

    def _drain(self, until: float) -> None:
        self._draining = True
        self._drain_until = until
        self._next_due = min(self._next_due, until)
        self._guard(self._begin_drain, list(self._connections.values()))
        self._interrupter.send(b"\0")  # never read: every conversation that waits for input sees it

    def _begin_drain(self, connection: Connection) -> None:
        if connection.state is State.WATCHED:
            connection.unread = _unread_bytes(connection.fd)
            self._drain_connection(connection)
        else:
            self._finish(connection, DisconnectReason.SERVER_STOPPING)

    def _drain_connection(self, connection: Connection) -> None:
        """End the connection once the input that had come before the drain is answered."""
        if connection.unread <= 0:
            self._finish(connection, DisconnectReason.SERVER_STOPPING)

    def _end_drain(self) -> None:
        """The time is up: close what is left as it is. A conversation gets a moment to notice."""
        self._drain_until = self._now + ABANDON_S
        self._guard(self._cut_off, list(self._connections.values()))

    def _cut_off(self, connection: Connection) -> None:
        if connection.state is not State.CONVERSING:
            if connection.state is not State.LINGERING or _unacked_bytes(connection.fd):
                connection.reason = DisconnectReason.DRAIN_TIMEOUT
            self._close(connection)
        elif connection.reason is DisconnectReason.DRAIN_TIMEOUT:
            del self._connections[connection.fd]  # its thread is stuck, and may still use the socket: that stays
            connection.end_sending(State.CLOSED)
            self._tell_end(connection)
        else:
            connection.reason = DisconnectReason.DRAIN_TIMEOUT
            connection.interrupt(DisconnectReason.DRAIN_TIMEOUT, socket.SHUT_RDWR)

    # Time.

    def _set_deadline(self, connection: Connection, at: float) -> None:
        self._deadlines.set(connection, at)
        self._next_due = min(self._next_due, at)

    def _meet_deadlines(self) -> None:
        now = self._now
        self._guard(self._expired, self._deadlines.take_expired(now))
        self._traffic.tell_sums(now)
        if now >= self._drain_until:
            self._end_drain()
        self._next_due = min(self._deadlines.next_at(), self._traffic.due_at, self._drain_until)

    def _expired(self, connection: Connection) -> None:
        if connection.state is State.LINGERING and self._linger_on(connection):
            return
        half_closed = connection.state is State.FLUSHING and connection.input_ended
        if connection.state in (State.WATCHED, State.CONVERSING) or half_closed:
            idle_until = connection.last_active + (self._idle_timeout_s or math.inf)
            if idle_until > self._now:
                self._deadlines.set(connection, idle_until)
                return
            if not half_closed:
                self._finish(connection, DisconnectReason.IDLE_TIMEOUT)
                return
            connection.reason = DisconnectReason.IDLE_TIMEOUT
        self._close(connection)

    # What other threads asked for.

    def _take_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(1)
            self._wake_sent = False

    def _make_calls(self) -> None:
        for _ in range(len(self._calls)):
            call, connection = self._calls.popleft()
            self._guard(call, [connection])

    def _guard(self, call: Callable[[Connection], None], connections: list[Connection]) -> None:
        """Make `call` for each connection; a defect on one ends that one only."""
        for connection in connections:
            try:
                call(connection)
            except Exception as error:  # noqa: BLE001  as in _run
                self._failed(connection, error)

    def _tell_touched(self) -> None:
        for _ in range(len(self._touched)):
            connection = self._touched.popleft()
            if connection.state is not State.CLOSED:  # else it was settled
                self._traffic.touched(connection, self._now)
        self._next_due = min(self._next_due, self._traffic.due_at)


def _unread_bytes(fd: int) -> int:
    """Return how many bytes wait in the kernel's receive buffer."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


def _unacked_bytes(fd: int) -> int:
    """Return how many bytes the other side's kernel has not acknowledged yet (SIOCOUTQ, as Linux calls it)."""
    try:
        return int.from_bytes(fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 1  # this system doesn't tell it for sockets: there may be some
