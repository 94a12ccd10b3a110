"""One client of a service of bytes, as the service sees it."""

import contextlib
import math
import select
import socket
import time

from sockctl.errors import PeerGoneError
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.kernel_queues import count_unread_bytes
from sockctl.net.limits import READ_BYTES
from sockctl.net.listener import SocketOptions

HALF_CLOSED = SocketOptions(keepalive_s=10)
"""For a client that has ended its input: a client that has vanished looks the same, until its kernel resets a probe."""


class RawPeer:
    """One client of a service of bytes.

    Attributes:
        number: The connection's number, counted from 1 since the server's start.
        address: The client's IP address, without the port; an IPv4-mapped one is given as IPv4.
        port: The client's port; at a Unix socket its process.
        shown: The client's address and port, as events have them.
        state: The service's own state for this client.
        post: Sends bytes without ever waiting; any thread may call it. Bytes that the client doesn't take at once are
            queued; the server reads nothing more from the client until they are gone. On a connection that is ending
            it does nothing.
        watching: Whether the service has called `watch`.
    """

    __slots__ = ("_connection", "_event_loop", "address", "number", "port", "post", "shown", "state", "watching")

    def __init__(self, connection: Connection, event_loop: EventLoop) -> None:
        self._connection = connection
        self._event_loop = event_loop
        self.number = connection.number
        self.address = connection.host
        self.port = connection.port
        self.shown = connection.peer
        self.post = connection.post
        self.state: object = None
        self.watching = False

    def send(self, data: bytes) -> None:
        """Send bytes, in a conversation only. Blocks while the client doesn't take them.

        Raises:
            PeerGoneError: The connection is ending.
        """
        self._connection.send(data)

    def receive(self, max_bytes: int = READ_BYTES) -> bytes:
        """Receive bytes, in a conversation only. Blocks; returns no bytes when the client's input has ended.

        Raises:
            PeerGoneError: The connection is ending.
        """
        return self._connection.receive(max_bytes)

    def watch(self) -> None:
        """Have reactions follow the conversation on the same connection, once it returns."""
        self.watching = True

    def close(self, reason: Reason = DisconnectReason.SERVER_CLOSED) -> None:
        """Close the connection once the queued bytes are sent. Any thread may call this; it returns at once."""
        self._event_loop.close(self._connection, reason)

    # A conversation that waits for the client and for descriptors of the service at once.

    def fileno(self) -> int:
        """Return the connection's descriptor, as `wait` reports it."""
        return self._connection.fd

    def wait(self, events: dict[int, int], *, for_input: bool, until: float = math.inf, stopping: bool) -> set[int]:
        """Wait for descriptors of the service, and for the client: its input, and until it takes queued bytes.

        Args:
            events: The events to wait for, in `select.poll`'s terms, by descriptor.
            for_input: Whether to wait for the client's input.
            until: When to give up, on the monotonic clock.
            stopping: Whether to go on while the server stops.

        Raises:
            PeerGoneError: The connection is ending.
            TimeoutError: Nothing was ready before `until`.
        """
        connection = self._connection
        mask = (select.POLLIN if for_input else 0) | (select.POLLOUT if connection.outbox else 0)
        return connection.wait({**events, connection.fd: mask} if mask else events, until=until, stopping=stopping)

    def receive_ready(self, max_bytes: int = READ_BYTES) -> bytes | None:
        """Receive bytes without waiting; return no bytes when the input has ended, None if there are none yet.

        Raises:
            PeerGoneError: The connection is ending.
        """
        try:
            return self._connection.receive(max_bytes, until=time.monotonic(), stopping=True)
        except TimeoutError:
            return None

    def send_ready(self, data: bytes = b"") -> None:
        """Send `data` and queued bytes as far as the kernel takes them; the rest stays queued.

        Raises:
            PeerGoneError: The connection broke.
        """
        connection = self._connection
        if data:
            connection.post(data)
        else:
            connection.flush()
            connection.on_post(connection)
        connection.last_active = time.monotonic()
        if connection.error is not None:
            raise PeerGoneError(f"{connection.peer} broke the connection off") from connection.error

    def end_output(self) -> None:
        """Tell the client that nothing more comes, once no bytes are queued; its own input goes on."""
        with self._connection.lock:
            self._connection.may_send = self._connection.can_send_now = False
            with contextlib.suppress(OSError):  # no longer connected: the next wait says so
                self._connection.sock.shutdown(socket.SHUT_WR)

    def probe_soon(self) -> None:
        """Have the kernel probe often from now on whether the client is still there; a Unix socket tells it anyway."""
        HALF_CLOSED.apply_to(self._connection.fd)

    def count_unread(self) -> int:
        """Return how many bytes of the client wait in the kernel; under TLS, encrypted ones."""
        return count_unread_bytes(self._connection.fd)

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._connection.outbox)

    @property
    def input_ended(self) -> bool:
        """Whether the client has ended its input."""
        return self._connection.input_ended

    @property
    def hung_up(self) -> bool:
        """Whether both sides have ended: the client takes no more bytes."""
        return self._connection.hung_up

    @property
    def reason(self) -> Reason | None:
        """Why the connection is ending; None while it is not."""
        return self._connection.reason

    @property
    def stopping(self) -> bool:
        """Whether the connection is ending because the server stops; bytes still reach the client."""
        return self._connection.reason is DisconnectReason.SERVER_STOPPING

    def give_up(self, reason: Reason) -> PeerGoneError:
        """Return the error that a conversation raises to close the connection for `reason`."""
        self._connection.reason = self._connection.reason or reason
        return PeerGoneError(f"the conversation with {self.shown} is over: {reason}")
