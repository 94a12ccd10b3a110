"""One client's connection: its socket, its outbox, its counts, and who owns it right now.

A connection is owned by one thread at a time: the handler thread while a conversation runs, its event thread before
and after. Only the owner reads, and only the event thread closes. Sending is for everyone, under the connection's
lock; what the kernel doesn't take at once goes to the outbox.
"""

import enum
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from sockctl.errors import PeerGoneError
from sockctl.events.reasons import DisconnectReason
from sockctl.net.address import host_of, shown

__all__ = ["READ_BYTES", "Connection", "State"]

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


class Connection:
    """A client's connection.

    Args:
        sock: The accepted socket; it is made non-blocking.
        address: The client's socket address.
        number: Its number, counted from 1 since the server's start.
        portion: Bytes in a portion, the unit in which data is told.

    The watcher and the server set `on_data` (called by the event thread with what was read; the view is valid during
    the call only), `on_end` (the client's input has ended) and `on_post` (something was received or sent that is to be
    told, or waits in the outbox).
    """

    __slots__ = (
        "_partial",
        "_sock_send",
        "bytes_in",
        "bytes_out",
        "error",
        "fd",
        "host",
        "input_ended",
        "interest",
        "interrupt_fd",
        "last_active",
        "linger_until",
        "lock",
        "may_send",
        "number",
        "on_data",
        "on_end",
        "on_post",
        "outbox",
        "peer",
        "portion",
        "portions_in",
        "portions_out",
        "reason",
        "recv_into",
        "sock",
        "started",
        "state",
        "told",
        "unacked",
        "unread",
        "untold",
        "waits_since",
    )

    def __init__(self, sock: socket.socket, address: Any, number: int, portion: int) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.recv_into = sock.recv_into
        self._sock_send = sock.send
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
        self.lock = threading.Lock()  # guards outbox, every send, the out counts, and closing against sending
        self.outbox = bytearray()
        self.may_send = True
        self.portion = portion
        self.bytes_in = self.portions_in = 0
        self.bytes_out = self.portions_out = self._partial = 0
        self.told: tuple[int, int, int, int] = (0, 0, 0, 0)
        self.untold = False
        self.waits_since = 0.0
        self.unread = 0
        self.unacked = 0
        self.linger_until = 0.0
        self.interrupt_fd = -1
        self.on_data: Callable[[memoryview], None] = _ignore
        self.on_end: Callable[[], None] = _nothing
        self.on_post: Callable[[Connection], None] = _ignore

    def __repr__(self) -> str:
        return f"<Connection {self.number} {self.peer} {self.state.name}>"

    def count_received(self, count: int) -> None:
        """Count what the owner has read."""
        self.bytes_in += count
        self.portions_in += -(-count // self.portion)

    def post(self, data: bytes | memoryview) -> None:
        """Send `data` without waiting; what the kernel doesn't take goes to the outbox. Any thread may call it.

        On a connection that is broken or ending it does nothing: its owner knows.
        """
        with self.lock:
            if not self.may_send:
                return
            if self.outbox:
                self.outbox += data
            else:
                sent = self._send(data)
                if sent < len(data) and self.error is None:
                    self.outbox += data[sent:]
        if self.outbox or not self.untold or self.error is not None:
            self.on_post(self)

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
        return sent > 0

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        """Send once, under the lock, and count. A portion counts when its last byte went out."""
        try:
            sent = self._sock_send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.error = error  # told by whoever closes: send() may be the only call that ever reports it
            self.may_send = False
            return 0
        self.bytes_out += sent
        if sent == len(data) and not self._partial:
            self.portions_out += -(-sent // self.portion)
            return sent
        whole = self._partial + sent
        if sent == len(data):
            self._partial = 0
            self.portions_out += -(-whole // self.portion)
        else:
            self.portions_out += whole // self.portion
            self._partial = whole % self.portion
        return sent

    def end_sending(self, state: State) -> None:
        """Enter `state`, in which nothing new is sent: what is posted from now on is dropped."""
        with self.lock:
            self.state = state
            self.may_send = False

    # What follows blocks, and is for the handler thread of a conversation only.

    def receive(self, max_bytes: int) -> bytes:
        """Wait for data and return up to `max_bytes` of it; no bytes when the client's input has ended.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
        """
        while True:
            try:
                data = self.sock.recv(max_bytes)
            except BlockingIOError:
                self._raise_if_ending()
                self._wait(select.POLLIN, self.interrupt_fd)
                continue
            except OSError as error:
                self.error = error
                raise PeerGoneError(f"{self.peer} broke the connection off") from error
            if not data:
                self._raise_if_ending()
                self.input_ended = True
            self.last_active = time.monotonic()
            self.count_received(len(data))
            if not self.untold:
                self.on_post(self)
            return data

    def send(self, data: bytes | memoryview) -> None:
        """Send all of `data`; waits while the client doesn't take it.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
        """
        self.post(data)
        while self.outbox:
            self._wait(select.POLLOUT)
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
                self.error = error  # no longer connected: the handler finds out as well

    def _wait(self, event: int, interrupt_fd: int = -1) -> None:
        poll = select.poll()
        poll.register(self.fd, event)
        if interrupt_fd >= 0:
            poll.register(interrupt_fd, select.POLLIN)
        poll.poll()

    def _raise_if_ending(self) -> None:
        if self.reason is not None:
            raise PeerGoneError(f"the server is ending the connection to {self.peer}: {self.reason}") from None


def _ignore(_: object) -> None:
    """Do nothing: what a connection calls before the watcher knows it."""


def _nothing() -> None:
    """Do nothing, as above."""
