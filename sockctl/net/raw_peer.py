"""One client of a service of bytes, as the service sees it."""

from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import READ_BYTES


class RawPeer:
    """One client of a service of bytes.

    Attributes:
        number: The connection's number, counted from 1 since the server's start.
        address: The client's IP address, without the port; an IPv4-mapped one is given as IPv4.
        state: The service's own state for this client.
        post: Sends bytes without ever waiting; any thread may call it. Bytes that the client doesn't take at once are
            queued; the server reads nothing more from the client until they are gone. On a connection that is ending
            it does nothing.
        watching: Whether the service has called `watch`.
    """

    __slots__ = ("_connection", "_event_loop", "address", "number", "post", "state", "watching")

    def __init__(self, connection: Connection, event_loop: EventLoop) -> None:
        self._connection = connection
        self._event_loop = event_loop
        self.number = connection.number
        self.address = connection.host
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
