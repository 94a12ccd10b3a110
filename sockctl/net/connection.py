"""One client's connection: its socket, its outbox, its counts, and its owner.

One thread at a time owns a connection: the handler thread while a conversation runs, the event thread before and after.
Only the owner reads, and only the event thread closes. Any thread may send, under the connection's lock; bytes that the
kernel doesn't take at once go to the outbox.
"""

import enum
import errno
import math
import os
import select
import time
from collections.abc import Callable
from typing import Any

from sockctl.deadline import Deadline
from sockctl.errors import PeerGoneError
from sockctl.events.connection import ServiceFailed
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.address import extract_host, format_address
from sockctl.net.handler import Handler
from sockctl.net.sending_side import SendingSide
from sockctl.net.transport import TlsTransport, Transport, is_pending


class State(enum.Enum):
    """The states of a connection. Only the event thread changes the state."""

    CONVERSING = enum.auto()
    """A handler thread talks with the client; the event thread only keeps the deadlines."""
    WATCHED = enum.auto()
    """The event thread reads, and the service reacts."""
    FLUSHING = enum.auto()
    """The event thread reads no more, and empties the outbox."""
    LINGERING = enum.auto()
    """The sending side is shut. The event thread discards input until the client ends its side: a reset would destroy
    the last words on their way."""
    CLOSED = enum.auto()
    """The socket is closed and its descriptor free."""


class Connection(SendingSide):
    """A client's connection.

    Args:
        sock: The accepted socket, or TLS over it; the connection makes it non-blocking.
        address: The client's socket address.
        number: Its number, counted from 1 since the server's start.
        portion: Bytes in a portion, the unit in which data events count.
        send_s: Seconds in which a client must read what a conversation sends.

    Attributes:
        reads: How many reads have given bytes: calls of recv(), or under TLS reads of decrypted bytes.
        further_in: Portions received beyond one a read.
        handler: The service's side, which reacts to the connection; the server sets it before the event loop knows it.
        attended_soon: Whether the event thread is about to empty its outbox; only the event loop uses this.
        frame_until: When a frame that has begun must be complete, else infinity. Only the event thread uses this.
        held_until: Until when the event thread doesn't read, since the client was beyond its budget, or has sent more
            messages than one round decodes; None if it may read. Only the event thread uses this.
        stay_s: How long the handler wants to send more when the input has ended; 0 for not at all.
        cut_at: When the event thread cuts off an interrupted conversation, whose thread may be stuck.
        port: The client's port; at a Unix socket its process.
        hung_up: Whether both sides have ended; what has come can still be received. Only the handler thread uses this.
        admitted: Whether the client has logged in, or the service asks for no login.
        tells_data: Whether the server emits events of the connection's data; a service that emits its own says no.
        on_admitted: Called once, when the client is admitted, by the thread that owns the connection; the server sets
            it before it makes the handler.
    """

    __slots__ = (
        "_send_s",
        "admitted",
        "attended_soon",
        "cut_at",
        "drain_at",
        "emitted",
        "fd",
        "frame_until",
        "held_until",
        "host",
        "hung_up",
        "input_ended",
        "interest",
        "interrupt_fd",
        "linger_until",
        "on_admitted",
        "peer",
        "port",
        "reason",
        "started",
        "stay_s",
        "tells_data",
        "unacked",
        "waits_since",
    )

    def __init__(self, sock: Transport, address: Any, number: int, *, portion: int, send_s: float) -> None:
        sock.setblocking(False)
        super().__init__(sock, number, portion)
        self.fd = sock.fileno()
        self.host = extract_host(address)
        self.port: int = address[1]
        self.peer = format_address(self.host, self.port)
        self.state = State.WATCHED
        self.reason: Reason | None = None
        self.input_ended = self.hung_up = False
        self.interest = 0
        self.started = self.last_active = time.monotonic()
        self._send_s = send_s
        self.bytes_in = self.reads = self.further_in = 0
        self.emitted: tuple[int, ...] = (0,) * 6
        self.attended_soon = False
        self.waits_since = 0.0
        self.drain_at = 0
        self.unacked = 0
        self.linger_until = 0.0
        self.interrupt_fd = -1
        self.frame_until = math.inf
        self.held_until: float | None = None
        self.stay_s = 0.0
        self.cut_at = math.inf
        self.admitted = False
        self.tells_data = True
        self.on_admitted: Callable[[Connection], None] = lambda _: None
        self.handler: Handler

    def __repr__(self) -> str:
        return f"<Connection {self.number} {self.peer} {self.state.name}>"

    @property
    def raw_bytes_in(self) -> int:
        """Bytes received from the kernel: under TLS, encrypted ones."""
        return getattr(self.sock, "raw_bytes_in", self.bytes_in)

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return isinstance(self.sock, TlsTransport)

    @property
    def pending(self) -> bool:
        """Whether decrypted bytes can be received that no poller can see."""
        return is_pending(self.sock)

    def admit(self) -> None:
        """Note that the client has logged in. The owner calls this; a second call does nothing."""
        if not self.admitted:
            self.admitted = True
            self.on_admitted(self)

    def make_failure(self, error: Exception) -> ServiceFailed:
        """Return the event that the service has failed on this connection."""
        return ServiceFailed(connection=self.number, peer=self.peer, error=f"{type(error).__name__}: {error}")

    def count_received(self, count: int) -> None:
        """Count the bytes of one read of the owner's."""
        if count:
            self.bytes_in += count
            self.reads += 1
            self.further_in += (count - 1) // self.portion

    def end_sending(self, state: State) -> None:
        """Enter `state`, in which the connection drops posted bytes."""
        with self.lock:
            self.state = state
            self.may_send = self.can_send_now = False

    # The following methods block; only the handler thread of a conversation calls them.

    def receive(self, max_bytes: int, *, until: float = math.inf, stopping: bool = False) -> bytes:
        """Wait for bytes and return up to `max_bytes` of them; none when the client's input has ended.

        Args:
            max_bytes: The most bytes.
            until: When to give up, on the monotonic clock.
            stopping: Whether to go on while the server stops.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
            TimeoutError: No bytes came before `until`, on the monotonic clock.
        """
        while True:
            try:
                data = self.sock.recv(max_bytes)
            except BlockingIOError:
                self.wait({self.fd: select.POLLIN}, until=until, stopping=stopping)
                continue
            except OSError as error:
                self.note_error(error)
                raise PeerGoneError(f"{self.peer} broke the connection off") from error
            if not data:
                self._raise_if_ending(stopping=stopping)
                self.input_ended = True
            self.last_active = time.monotonic()
            self.count_received(len(data))
            if not self.is_touched:
                self.on_post(self)
            return data

    def wait(self, events: dict[int, int], *, until: float = math.inf, stopping: bool = False) -> set[int]:
        """Wait for descriptors, and return those on which something has happened.

        Args:
            events: The events to wait for, in `select.poll`'s terms, by descriptor.
            until: When to give up, on the monotonic clock.
            stopping: Whether to go on while the server stops.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
            TimeoutError: Nothing happened before `until`.
        """
        self._raise_if_ending(stopping=stopping)
        if self.pending and events.get(self.fd, 0) & select.POLLIN:
            return {self.fd}
        poll = select.poll()
        if self.fd in events or not self.hung_up:
            poll.register(self.fd, events.get(self.fd, 0))  # poll() reports a broken connection in any case
        if not stopping:
            poll.register(self.interrupt_fd, select.POLLIN)
        for fd, mask in events.items():
            poll.register(fd, mask)
        ready = dict(poll.poll(Deadline(until).left_ms))
        if not ready:
            raise TimeoutError
        if self.fd in ready and self.fd not in events:
            self._raise_if_ending(stopping=stopping)
            if ready.pop(self.fd) & select.POLLERR or self.error is not None:
                self.error = self.error or OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
                raise PeerGoneError(f"{self.peer} broke the connection off")
            self.hung_up = True
        if ready.keys() == {self.interrupt_fd}:
            self._raise_if_ending()
        return set(ready)

    def send(self, data: bytes | memoryview) -> None:
        """Send all of `data`. Blocks while the client doesn't read it.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
        """
        self.post(data)
        self.wait_sent()

    def wait_sent(self) -> None:
        """Wait until the outbox is empty.

        Raises:
            PeerGoneError: The connection broke, or the client didn't read in time.
        """
        deadline = Deadline.after(self._send_s)
        while self.outbox:
            poll = select.poll()
            poll.register(self.fd, select.POLLOUT)
            if not poll.poll(deadline.left_ms):
                self.reason = self.reason or DisconnectReason.SEND_TIMEOUT
                raise PeerGoneError(f"{self.peer} doesn't read")
            if self.flush():
                self.last_active = time.monotonic()
                if not self.is_touched:
                    self.on_post(self)
        if self.error is not None:
            raise PeerGoneError(f"{self.peer} broke the connection off") from self.error

    def interrupt(self, reason: Reason, how: int) -> None:
        """End the conversation of a handler thread by shutting its socket; the event thread calls it.

        Args:
            reason: The reason.
            how: `socket.SHUT_RD` lets the conversation still read waiting input, and send; `socket.SHUT_RDWR` doesn't.
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

    def _raise_if_ending(self, *, stopping: bool = False) -> None:
        if self.reason is not None and not (stopping and self.reason is DisconnectReason.SERVER_STOPPING):
            raise PeerGoneError(f"the server is ending the connection to {self.peer}: {self.reason}") from None
