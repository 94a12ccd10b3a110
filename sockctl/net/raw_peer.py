"""The connection of a service of bytes: what is read goes to the service as it came."""

from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.peer import RawPeer
from sockctl.net.service import Conversation, RawService


class RawPeerHandler(Handler):
    """The handler of such a connection."""

    __slots__ = ("_connection", "_peer", "_service", "received", "watching")

    def __init__(self, connection: Connection, event_loop: EventLoop, service: RawService) -> None:
        self._connection = connection
        self._peer = RawPeer(connection, event_loop)
        self._service = service
        self.watching = False
        self.received = service.reaction(self._peer)

    def converse(self, conversation: Conversation[RawPeer]) -> None:
        """Hold the conversation; there is no login in bytes."""
        self._connection.admit()
        conversation.converse(self._peer)
        self.watching = self._peer.watching

    def opened(self) -> None:
        """Say nothing, since the client speaks first; it is in."""
        self._connection.admit()

    def resumed(self) -> None:
        """Admit the client, whose TLS handshake is done; bytes are never read ahead."""
        self._connection.admit()

    def ended(self) -> None:
        """Tell the service."""
        self._service.ended(self._peer)
