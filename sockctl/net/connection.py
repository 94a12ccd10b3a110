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
import time
from collections.abc import Callable
from typing import Any

from sockctl.deadline import Deadline
from sockctl.errors import PeerGoneError
from sockctl.events.connection import ServiceFailed
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.address import format_address, host_of
from sockctl.net.handler import Handler
from sockctl.net.sending_side import SendingSide
from sockctl.net.transport import Transport, is_pending


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


class Connection(SendingSide):
    """A client's connection.

    Args:
        sock: The accepted socket, or TLS over it; it is made non-blocking.
        address: The client's socket address.
        number: Its number, counted from 1 since the server's start.
        portion: Bytes in a portion, the unit in which data events count.
        send_s: Seconds in which a client must take what a conversation sends.

    Attributes:
        handler: What is called when something happens on it; set by the server before the event loop knows it.
        attended_soon: Whether the event thread is about to see to its outbox; the event loop's.
        frame_until: When a frame that has begun must be complete; infinity where none has. The event thread's.
        held_until: Until when the connection isn't read from, since it was beyond its budget or has said more at once
            than is decoded in a round; None where it isn't held. The event thread's.
        cut_at: When a conversation that was told to end is cut off, since its thread may be stuck. The event thread's.
        admitted: Whether the client is in: it has logged in, or the service asks for no login.
        on_admitted: Called once, when the client is admitted, by the thread that owns the connection; set by the server
            before it makes the handler.
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
        "input_ended",
        "interest",
        "interrupt_fd",
        "linger_until",
        "on_admitted",
        "peer",
        "reason",
        "started",
        "unacked",
        "waits_since",
    )

    def __init__(self, sock: Transport, address: Any, number: int, *, portion: int, send_s: float) -> None:
        sock.setblocking(False)
        super().__init__(sock, number, portion)
        self.fd = sock.fileno()
        self.host = host_of(address)
        self.peer = format_address(self.host, address[1])
        self.state = State.WATCHED
        self.reason: Reason | None = None
        self.input_ended = False
        self.interest = 0
        self.started = self.last_active = time.monotonic()
        self._send_s = send_s
        self.bytes_in = self.portions_in = 0
        self.emitted: tuple[int, int, int, int] = (0, 0, 0, 0)
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

    def failure(self, error: Exception) -> ServiceFailed:
        """Return the event that the service has failed on this connection."""
        return ServiceFailed(connection=self.number, peer=self.peer, error=f"{type(error).__name__}: {error}")

    def count_received(self, count: int) -> None:
        """Count what the owner has read."""
        self.bytes_in += count
        self.portions_in += -(-count // self.portion)

    def end_sending(self, state: State) -> None:
        """Enter `state`, in which nothing new is sent: what is posted from now on is dropped."""
        with self.lock:
            self.state = state
            self.may_send = self.can_send_now = False

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
            if not self.is_touched:
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
        ready = {fd for fd, _ in poll.poll(Deadline(until).left_ms)}
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


def _ignore(_: object) -> None:
    """Do nothing: no server waits for the client to be admitted."""
