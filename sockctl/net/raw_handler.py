"""The handler of a connection of a service of bytes: it gives the received bytes to the service unchanged."""

from sockctl.net.client_description import ClientDescription
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import Conversation, RawService


class RawHandler(Handler):
    """Calls the service when something happens on the connection."""

    __slots__ = ("_connection", "_peer", "_service", "received", "watching")

    def __init__(self, connection: Connection, event_loop: EventLoop, service: RawService) -> None:
        self._connection = connection
        self._peer = RawPeer(connection, event_loop)
        self._service = service
        self.watching = False
        self.received = service.make_reaction(self._peer)

    def converse(self, service: RawService) -> None:
        """Admit the client, since bytes have no login, and hold the conversation, if the service has one."""
        self._connection.admit()
        if isinstance(service, Conversation):
            service.converse(self._peer)
            self.watching = self._peer.watching
        else:
            self.watching = True

    def describe(self) -> ClientDescription:
        """Return what the service knows of the client."""
        return self._service.describe_client(self._peer)

    def opened(self) -> None:
        """Admit the client, which speaks first."""
        self._connection.admit()

    def resumed(self) -> None:
        """Admit the client, whose TLS handshake is done."""
        self._connection.admit()

    def ended(self) -> None:
        """Let the service react to the end of the input."""
        self._service.ended(self._peer)
