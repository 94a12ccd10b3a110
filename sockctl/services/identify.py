"""The identify service: greets a client from a known address by name, and asks any other client for one.

A network with many addresses could take all names, and displace all other clients. So the clients of a network become
known as slowly as users sign up.
"""

import time
from typing import ClassVar

from sockctl.accounts.throttle import limit_signups
from sockctl.deadline import Deadline
from sockctl.errors import PeerGoneError, StoreError, TooManyNewError
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.events.services import ClientIdentified, StoreFailed
from sockctl.net.client_description import NOBODY, ClientDescription
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.names import check_name
from sockctl.services.known_clients import KnownClient, KnownClients
from sockctl.source_network import IPV6_PREFIX, find_source_network
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
        return (
            "It knows clients by their IP address, greets them by name, and asks those that it doesn't know. "
            f"It keeps the names in {self._clients.path}."
        )

    def start(self, journal: Journal) -> None:
        """Emit events to `journal` from now on."""
        self._journal = journal

    def converse(self, peer: Peer) -> None:
        """Greet `peer`; ask an unknown one for its name first."""
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
        peer.state = client.name
        self._note_visit(peer, client)
        age = format_age((self._clients.read_clock() - client.last_seen).total_seconds())
        peer.tell(
            "welcome",
            f"Hello again, {client.name}! You were last here {age}, on {client.last_seen:%Y-%m-%d at %H:%M:%S} UTC.",
            name=client.name,
            last_seen=client.as_fields["last_seen"],
        )

    def describe_client(self, peer: Peer) -> ClientDescription:
        """Return the client's name, once it is known."""
        return ClientDescription(name=peer.state) if isinstance(peer.state, str) else NOBODY

    def _ask_name(self, peer: Peer) -> None:
        network = find_source_network(peer.address, self._ipv6_prefix)

        def remember(answer: str) -> KnownClient:
            name = check_name(answer)
            if not self._new.allow([network], time.monotonic()):
                raise TooManyNewError("Too many of your network have given a name just now: come again in a minute.")
            return self._clients.remember(peer.address, name)

        client = peer.ask("name", "I don't know you yet. What is your name?", check=remember)
        peer.admit()
        peer.state = client.name
        self._journal.emit(ClientIdentified(connection=peer.number, peer=peer.shown, who=client.name, known=False))
        peer.tell("welcome", f"Hello, {client.name}! From now on I know you by your address.", name=client.name)

    def _note_visit(self, peer: Peer, client: KnownClient) -> None:
        self._journal.emit(ClientIdentified(connection=peer.number, peer=peer.shown, who=client.name, known=True))
        try:
            self._clients.note_visit(client.address)
        except StoreError as error:  # the service can greet the client all the same
            self._journal.emit(StoreFailed(connection=peer.number, peer=peer.shown, error=str(error)))

    def _excuse_failure(self, peer: Peer, error: StoreError) -> PeerGoneError:
        self._journal.emit(StoreFailed(connection=peer.number, peer=peer.shown, error=str(error)))
        text = "I can't look up or save your name right now; the operator sees why. Please come back later."
        peer.tell("error", text, code="store_failed")
        return peer.give_up(DisconnectReason.STORE_FAILED)
