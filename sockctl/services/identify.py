"""Identification: a client at a known address is greeted by name, any other is asked for one.

A network that has many addresses could take all names, and have all other clients forgotten. So the clients of a
network become known as slowly as users sign up.
"""

import time
from typing import ClassVar

from sockctl.accounts.throttle import limit_signups
from sockctl.deadline import Deadline
from sockctl.errors import PeerGoneError, StoreError, TooManyNewError
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.events.services import ClientIdentified, StoreFailed
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.names import checked_name
from sockctl.services.known_clients import KnownClient, KnownClients
from sockctl.source_network import IPV6_PREFIX, source_network
from sockctl.text import format_age

LIMIT_BYTES = 4_096
"""Bytes of a message: no name needs more."""
NAME_S = 120.0
"""How long a client may take to give its name, typing included."""


class Identify(MessageService, Conversation[Peer]):
    """Greets clients by name.

    Args:
        clients: The known clients.
        name_s: How long a client may take to give its name, in seconds.
        ipv6_prefix: Bits of an IPv6 address that name its network.
    """

    name: ClassVar[str] = "identify"

    def __init__(self, clients: KnownClients, *, name_s: float = NAME_S, ipv6_prefix: int = IPV6_PREFIX) -> None:
        self._clients = clients
        self._name_s = name_s
        self._ipv6_prefix = ipv6_prefix
        self._new = limit_signups()
        self._journal: Journal

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return "It knows clients by their IP address, greets them by name, and asks those that it doesn't know."

    def start(self, journal: Journal) -> None:
        """Emit events to `journal` from now on."""
        self._journal = journal

    def converse(self, peer: Peer) -> None:
        """Greet `peer`, after asking for its name if it isn't known."""
        peer.limit_bytes = LIMIT_BYTES
        peer.until = Deadline.after(self._name_s)
        try:
            client = self._clients.find(peer.address)
            if client is None:
                self._ask_name(peer)
                return
        except StoreError as error:
            raise self._excuse_failure(peer, error) from error
        peer.admit()
        self._note_visit(peer, client)
        age = format_age((self._clients.now() - client.last_seen).total_seconds())
        peer.tell(
            "welcome",
            f"Hello again, {client.name}! You were last here {age}, on {client.last_seen:%Y-%m-%d at %H:%M:%S} UTC.",
            name=client.name,
            last_seen=client.as_fields["last_seen"],
        )

    def _ask_name(self, peer: Peer) -> None:
        network = source_network(peer.address, self._ipv6_prefix)

        def remember(answer: str) -> KnownClient:
            name = checked_name(answer)
            if not self._new.allow([network], time.monotonic()):
                raise TooManyNewError("Too many of your network have given a name just now: come again in a minute.")
            return self._clients.remember(peer.address, name)

        client = peer.ask("name", "I don't know you yet. What is your name?", check=remember)
        peer.admit()
        self._journal.emit(ClientIdentified(connection=peer.number, peer=peer.shown, who=client.name, known=False))
        peer.tell("welcome", f"Hello, {client.name}! From now on I know you by your address.", name=client.name)

    def _note_visit(self, peer: Peer, client: KnownClient) -> None:
        self._journal.emit(ClientIdentified(connection=peer.number, peer=peer.shown, who=client.name, known=True))
        try:
            self._clients.note_visit(client.address)
        except StoreError as error:  # the client can be greeted all the same
            self._journal.emit(StoreFailed(connection=peer.number, peer=peer.shown, error=str(error)))

    def _excuse_failure(self, peer: Peer, error: StoreError) -> PeerGoneError:
        self._journal.emit(StoreFailed(connection=peer.number, peer=peer.shown, error=str(error)))
        text = "I can't look up or keep your name right now, and whoever runs me is told why. Please come back later."
        peer.tell("error", text, code="store_failed")
        return peer.give_up(DisconnectReason.STORE_FAILED)
