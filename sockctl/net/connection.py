"""One client's connection: its socket, its outbox, its counts, and who owns it right now.

A connection is owned by one thread at a time: the handler thread while a conversation runs, its event thread before
and after. Only the owner reads, and only the event thread closes. Sending is for everyone, under the connection's
lock; what the kernel doesn't take at once goes to the outbox.
"""

import enum
import errno
import math
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sockctl.errors import PeerGoneError
from sockctl.events.reasons import DisconnectReason
from sockctl.net.address import host_of, shown
from sockctl.net.transport import Transport, is_pending

__all__ = ["OUTBOX_BYTES", "READ_BYTES", "SEND_S", "Connection", "Handler", "State", "post_to_each"]

OUTBOX_BYTES = 262_144
"""What others say may wait up to here for a client that doesn't read; beyond it the client is dropped."""
SEND_S = 30.0
"""In a conversation, how long a client may take to read what it is sent."""
READ_BYTES = 65_536
"""One read takes at most this much; measured: 1 KiB reads cost a pipelined echo 20 times its speed."""


class State(enum.Enum):
    """Where a connection is in its life. Only the event thread changes it."""

    CONVERSING = enum.auto()
    """A handler thread talks with the client; the event thread only keeps the deadlines."""
    WATCHED = enum.auto()
    """The event thread reads, and the service reacts."""
    FLUSHING = enum.auto()
    """Nothing is read any more; the outbox is being emptied."""
    LINGERING = enum.auto()
    """The sending side is shut; input is discarded until the client ends its side, so that no reset destroys the last
    words on their way."""
    CLOSED = enum.auto()
    """The socket is closed and its descriptor free."""


class Handler(Protocol):
    """What is called when something happens on a connection. Nothing here may block, except `converse`."""

    watching: bool
    """Whether the service asked to go on by reacting when its conversation is over."""

    @property
    def received(self) -> Callable[[memoryview], object]:
        """What the event thread calls with what it has read; the view is valid during the call only."""
        ...

    def go_on(self) -> None:
        """The connection was held, and is let go: react to what was read and not decoded yet."""
        ...

    def opened(self) -> None:
        """The connection is known to the watcher, or its conversation begins; nothing was read yet."""
        ...

    def converse(self, conversation: Any) -> None:
        """Hold the conversation; its handler thread calls it.

        Raises:
            PeerGoneError: The connection is ending, and the connection says why.
        """
        ...

    def resumed(self) -> None:
        """A conversation is over, and the connection is watched: react to what was read already."""
        ...

    def ended(self) -> None:
        """The client's input has ended; what is sent now still reaches it."""
        ...

    def frame_expired(self) -> None:
        """A frame that has begun was not complete in time; the connection is about to be ended for it."""
        ...

    def ending(self, reason: DisconnectReason) -> None:
        """The connection is about to be ended for `reason`: say the last words."""
        ...

    def closed(self, reason: DisconnectReason) -> None:
        """The connection is closed."""
        ...


_LOCKS = [threading.Lock() for _ in range(64)]
"""Connections share these by their number, as event threads share connections: two, four, … of them have their own."""


class _Hot:
    """The slots that each message needs: those of a base class come before all others."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "clear",
        "handler",
        "last_active",
        "lock",
        "portion",
        "portions_in",
        "portions_out",
        "sock",
        "state",
        "untold",
    )


class Connection(_Hot):
    """A client's connection.

    Args:
        sock: The accepted socket, or TLS over it; it is made non-blocking.
        address: The client's socket address.
        number: Its number, counted from 1 since the server's start.
        portion: Bytes in a portion, the unit in which data is told.
        send_s: Seconds in which a client must take what a conversation sends.

    Attributes:
        clear: Whether what is posted is sent at once: nothing waits, nothing is broken, and the end has not begun.
        handler: What is called when something happens on it; set by the server before the watcher knows it.
        on_post: Called by any thread when something was received or sent that is to be told, or waits in the outbox;
            set by the watcher.
        attended_soon: Whether the event thread is about to see to its outbox; the watcher's.
        frame_until: When a frame that has begun must be complete; infinity where none has. The event thread's.
        held_until: Until when the connection isn't read from, since it was beyond its budget or has said more at once
            than is decoded in a round; None where it isn't held. The event thread's.
        cut_at: When a conversation that was told to end is cut off, since its thread may be stuck. The event thread's.
        admitted: Whether the client is in: it has logged in, or the service asks for no login.
        on_admitted: Called once, when the client is admitted, by the thread that owns the connection; set by the server
            before it makes the handler.
    """

    __slots__ = (
        "_partial",
        "_send_s",
        "admitted",
        "attended_soon",
        "cut_at",
        "drain_at",
        "error",
        "fd",
        "frame_until",
        "held_until",
        "host",
        "input_ended",
        "interest",
        "interrupt_fd",
        "linger_until",
        "may_send",
        "number",
        "on_admitted",
        "on_post",
        "outbox",
        "peer",
        "reason",
        "started",
        "told",
        "told_until",
        "unacked",
        "waits_since",
    )

    def __init__(self, sock: Transport, address: Any, number: int, portion: int, send_s: float = SEND_S) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.fd = sock.fileno()
        self.host = host_of(address)
        self.peer = shown(self.host, address[1])
        self.number = number
        self.state = State.WATCHED
        self.reason: DisconnectReason | None = None
        self.error: OSError | None = None
        self.input_ended = False
        self.interest = 0
        self.started = self.last_active = time.monotonic()
        # Guards outbox, clear, every send, the out counts, and closing against sending; no two are ever held at once.
        self.lock = _LOCKS[number % len(_LOCKS)]
        self.outbox = bytearray()
        self.may_send = True
        self.clear = True
        self.portion = portion
        self._send_s = send_s
        self.bytes_in = self.portions_in = 0
        self.bytes_out = self.portions_out = self._partial = 0
        self.told: tuple[int, int, int, int] = (0, 0, 0, 0)
        self.told_until = 0  # how many bytes will have been sent when the last of the service's own replies is out
        self.untold = False
        self.attended_soon = False
        self.waits_since = 0.0
        self.drain_at = 0
        self.unacked = 0
        self.linger_until = 0.0
        self.interrupt_fd = -1
        self.frame_until = math.inf
        self.held_until: float | None = None
        self.cut_at = math.inf
        self.admitted = False
        self.on_admitted: Callable[[Connection], None] = _ignore
        self.handler: Handler
        self.on_post: Callable[[Connection], None] = _ignore

    def __repr__(self) -> str:
        return f"<Connection {self.number} {self.peer} {self.state.name}>"

    @property
    def raw_bytes_in(self) -> int:
        """How many bytes were taken from the kernel: under TLS, encrypted ones."""
        return getattr(self.sock, "raw_bytes_in", self.bytes_in)

    @property
    def pending(self) -> bool:
        """Whether something can be received that no poller can see, since it was decrypted already."""
        return is_pending(self.sock)

    def admit(self) -> None:
        """Note that the client is in. The owner calls it; a second call does nothing."""
        if not self.admitted:
            self.admitted = True
            self.on_admitted(self)

    def note_error(self, error: OSError) -> None:
        """Note what broke the connection, without the traceback: its frames would keep alive all that they know."""
        self.error = error.with_traceback(None)

    def count_received(self, count: int) -> None:
        """Count what the owner has read."""
        self.bytes_in += count
        self.portions_in += -(-count // self.portion)

    def post(self, data: bytes | memoryview, bound: int | None = None) -> bool:
        """Send `data` without waiting; what the kernel doesn't take goes to the outbox. Any thread may call it.

        On a connection that is broken or ending it does nothing: its owner knows. The hot path: each message that is
        echoed comes through here, so the usual way is written at length.

        Args:
            data: The bytes.
            bound: For what others say: how many bytes of it may wait; what waits for the service's own last reply
                doesn't count. None for any number.

        Returns:
            False where the bytes would have gone beyond `bound`; then they are dropped.
        """
        size = len(data)
        sent = 0
        lock = self.lock
        lock.acquire()  # `with` costs twice as much
        try:
            if self.clear:
                try:
                    sent = self.sock.send(data)
                except OSError:
                    sent = 0  # `_queue` tries again, and notes what is wrong
                if sent == size:
                    self.bytes_out += size
                    self.portions_out += 1 if 0 < size <= self.portion else -(-size // self.portion)
                    if self.untold:
                        return True
            if sent < size and self.may_send and not self._queue(data, bound, sent=sent):
                return False
        finally:
            lock.release()
        if not (self.clear and self.untold):
            self.on_post(self)
        return True

    def post_made(self, make: Callable[[], bytes], *, bound: int | None = None) -> bool:
        """As `post`, for bytes that `make` returns under the lock: what it decides holds for their place in the stream.

        Args:
            make: Makes the bytes; must not block. It isn't called on a connection that is broken or ending.
            bound: As for `post`; None says that it is the service's own reply.

        Returns:
            False where the bytes would have gone beyond `bound`; then they are dropped.
        """
        with self.lock:
            if not self.may_send:
                return True
            data = make()
            if not self._queue(data, bound):
                return False
            if bound is None:
                self.told_until = self.bytes_out + len(self.outbox)
        if not (self.clear and self.untold):
            self.on_post(self)
        return True

    def _queue(self, data: bytes | memoryview, bound: int | None, *, sent: int = 0) -> bool:
        """Send bytes or put them into the outbox, under the lock; return whether they were within the bound.

        Args:
            data: The bytes.
            bound: As for `post`.
            sent: How many of them were just sent, and not counted yet; only where nothing waited.
        """
        outbox = self.outbox
        if sent:
            self.bytes_out += sent
            self._count_part(sent, last=False)
            outbox += data[sent:]
            self.clear = False
            return True
        if not outbox:
            if data:
                sent = self._send(data)
                if sent < len(data) and self.error is None:
                    outbox += data[sent:]
                    self.clear = False
            return True
        if bound is not None:
            own = max(0, self.told_until - self.bytes_out)
            if len(outbox) - own + len(data) > bound:
                return False
        outbox += data
        return True

    def flush(self) -> bool:
        """Send what is in the outbox, as far as the kernel takes it.

        Returns:
            Whether any of it went out.
        """
        with self.lock:
            sent = self._send(self.outbox)
            del self.outbox[:sent]
            if self.error is not None:
                self.outbox.clear()
            self.clear = self.may_send and not self.outbox
        return sent > 0

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        """Send once, under the lock, and count. A portion counts when its last byte went out."""
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.note_error(error)  # told by whoever closes: send() may be the only call that ever reports it
            self.may_send = self.clear = False
            return 0
        self.bytes_out += sent
        if sent == len(data) and not self._partial:
            self.portions_out += -(-sent // self.portion)
            return sent
        self._count_part(sent, last=sent == len(data))
        return sent

    def _count_part(self, sent: int, *, last: bool) -> None:
        """Count the portions of what went out in part; with `last` nothing of it is left."""
        whole = self._partial + sent
        if last:
            self._partial = 0
            self.portions_out += -(-whole // self.portion)
        else:
            self.portions_out += whole // self.portion
            self._partial = whole % self.portion

    def end_sending(self, state: State) -> None:
        """Enter `state`, in which nothing new is sent: what is posted from now on is dropped."""
        with self.lock:
            self.state = state
            self.may_send = self.clear = False

    # What follows blocks, and is for the handler thread of a conversation only.

    def receive(self, max_bytes: int, *, until: float = math.inf) -> bytes:
        """Wait for data and return up to `max_bytes` of it; no bytes when the client's input has ended.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
            TimeoutError: Nothing came before `until`, on the monotonic clock.
        """
        while True:
            try:
                data = self.sock.recv(max_bytes)
            except BlockingIOError:
                self.wait({self.fd: select.POLLIN}, until=until)
                continue
            except OSError as error:
                self.note_error(error)
                raise PeerGoneError(f"{self.peer} broke the connection off") from error
            if not data:
                self._raise_if_ending()
                self.input_ended = True
            self.last_active = time.monotonic()
            self.count_received(len(data))
            if not self.untold:
                self.on_post(self)
            return data

    def wait(self, events: dict[int, int], *, until: float = math.inf) -> set[int]:
        """Wait for descriptors, and return those on which something has happened.

        Args:
            events: What to wait for, in `select.poll`'s terms, by descriptor.
            until: When to give up, on the monotonic clock.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
            TimeoutError: Nothing happened before `until`.
        """
        self._raise_if_ending()
        if self.pending and events.get(self.fd, 0) & select.POLLIN:
            return {self.fd}
        poll = select.poll()
        poll.register(self.fd, events.get(self.fd, 0))  # a break is reported whether it is asked for or not
        poll.register(self.interrupt_fd, select.POLLIN)
        for fd, mask in events.items():
            poll.register(fd, mask)
        remaining_ms = None if until == math.inf else max(0, math.ceil((until - time.monotonic()) * 1000))
        ready = {fd for fd, _ in poll.poll(remaining_ms)}
        if not ready:
            raise TimeoutError
        if self.fd in ready and self.fd not in events:
            self.error = OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            raise PeerGoneError(f"{self.peer} broke the connection off")
        if ready == {self.interrupt_fd}:
            self._raise_if_ending()
        return ready

    def send(self, data: bytes | memoryview) -> None:
        """Send all of `data`; waits while the client doesn't take it.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
        """
        self.post(data)
        self.wait_sent()

    def wait_sent(self) -> None:
        """Wait until the outbox is empty.

        Raises:
            PeerGoneError: The connection broke, or the client didn't take it in time.
        """
        until = time.monotonic() + self._send_s
        while self.outbox:
            poll = select.poll()
            poll.register(self.fd, select.POLLOUT)
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                self.reason = self.reason or DisconnectReason.SEND_TIMEOUT
                raise PeerGoneError(f"{self.peer} doesn't read")
            if self.flush():
                self.last_active = time.monotonic()
                if not self.untold:
                    self.on_post(self)
        if self.error is not None:
            raise PeerGoneError(f"{self.peer} broke the connection off") from self.error

    def interrupt(self, reason: DisconnectReason, how: int) -> None:
        """End the conversation of a handler thread by shutting its socket; the event thread calls it.

        Args:
            reason: Why.
            how: `socket.SHUT_RD` lets it still read what has come and send; `socket.SHUT_RDWR` does not.
        """
        with self.lock:
            if self.state is not State.CONVERSING:
                return
            if self.reason is None:
                self.reason = reason
            try:
                self.sock.shutdown(how)
            except OSError as error:
                self.note_error(error)  # no longer connected: the handler finds out as well

    def _raise_if_ending(self) -> None:
        if self.reason is not None:
            raise PeerGoneError(f"the server is ending the connection to {self.peer}: {self.reason}") from None


def post_to_each(connections: Iterable[Connection], data: bytes, bound: int) -> list[Connection]:
    """As `Connection.post` on each; return those where the bytes would have gone beyond `bound`.

    The hot path of a chat: its usual way stands here once more, which spares a call for each delivery.
    """
    size = len(data)
    beyond = []
    for connection in connections:
        sent = 0
        lock = connection.lock
        lock.acquire()
        try:
            if connection.clear:
                try:
                    sent = connection.sock.send(data)
                except OSError:
                    sent = 0
                if sent == size:
                    connection.bytes_out += size
                    connection.portions_out += 1 if 0 < size <= connection.portion else -(-size // connection.portion)
                    if connection.untold:
                        continue
            if sent < size and connection.may_send and not connection._queue(data, bound, sent=sent):
                beyond.append(connection)
                continue
        finally:
            lock.release()
        if not (connection.clear and connection.untold):
            connection.on_post(connection)
    return beyond


def _ignore(_: object) -> None:
    """Do nothing: what a connection calls before the watcher knows it."""
