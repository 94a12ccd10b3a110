"""What a service sees of the network: one client to talk with."""

from sockctl.events.reasons import DisconnectReason
from sockctl.net.connection import READ_BYTES, Connection
from sockctl.net.watcher import Watcher

__all__ = ["Peer"]


class Peer:
    """One client, as a service sees it.

    Attributes:
        number: The connection's number, counted from 1 since the server's start.
        address: The client's IP address, without the port; an IPv4-mapped one is given as IPv4.
        state: Whatever the service keeps for this client.
        post: Sends bytes without ever waiting; any thread may call it. What the client doesn't take at once is queued,
            and nothing more is read from it until that is gone. On a connection that is ending it does nothing.
        watching: Whether the service asked to go on by reacting.
    """

    __slots__ = ("_connection", "_watcher", "address", "number", "post", "state", "watching")

    def __init__(self, connection: Connection, watcher: Watcher) -> None:
        self._connection = connection
        self._watcher = watcher
        self.number = connection.number
        self.address = connection.host
        self.post = connection.post
        self.state: object = None
        self.watching = False

    def send(self, data: bytes) -> None:
        """Send bytes, in a conversation only; waits while the client doesn't take them.

        Raises:
            PeerGoneError: The connection is ending.
        """
        self._connection.send(data)

    def receive(self, max_bytes: int = READ_BYTES) -> bytes:
        """Wait for bytes, in a conversation only; no bytes when the client's input has ended.

        Raises:
            PeerGoneError: The connection is ending.
        """
        return self._connection.receive(max_bytes)

    def watch(self) -> None:
        """Let the conversation, once it returns, be followed by reactions on the same connection."""
        self.watching = True

    def close(self, reason: DisconnectReason = DisconnectReason.SERVER_CLOSED) -> None:
        """End the connection: what is queued is still sent. Any thread may call it; it returns at once."""
        self._watcher.close(self._connection, reason)
