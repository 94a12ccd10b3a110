"""The forms in which a service is written: reacting to bytes or to messages, after a conversation or at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Generic, TypeVar

from sockctl.events.journal import Journal
from sockctl.events.reasons import Reason
from sockctl.net.client_description import NOBODY, ClientDescription
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.listener import Listeners
from sockctl.net.peer import Peer
from sockctl.net.raw_peer import RawPeer
from sockctl.protocol.messages import Message

P = TypeVar("P", bound=Peer | RawPeer)


class Service(ABC):
    """A service. The event threads call it, and it must never block.

    Calls for one client come in order, one at a time. Calls for several clients may come at once where the server has
    several event threads.

    Attributes:
        name: The service's name, in events and in the greeting.
        speaks_messages: Whether clients speak in messages, and insist on that.
        descriptors: File descriptors that each client takes.
        further_descriptors: File descriptors that the service takes at most, beside those.
    """

    name: ClassVar[str]
    speaks_messages: bool = False
    descriptors: int = 1
    further_descriptors: int = 0

    @property
    @abstractmethod
    def does(self) -> str:
        """One sentence that says what the service does; the server emits it at the start."""

    def take_place(self, listeners: Listeners) -> None:  # noqa: B027  most services need nothing
        """Take note of where the server listens; the server calls it before `start`.

        Raises:
            SockctlError: The service can't serve there.
        """

    def start(self, journal: Journal) -> None:  # noqa: B027  as above
        """Begin; the server calls it before the first client comes. Events go to `journal`."""

    def prepare_stop(self) -> None:  # noqa: B027  as above
        """Tell clients what they must know before they go; the server calls it when it begins to stop."""

    def stop(self) -> None:  # noqa: B027  as above
        """End; the server calls it when the last client has gone."""

    def abandon(self) -> None:  # noqa: B027  as above
        """Leave nothing behind: the process is about to end at once; any thread may call it."""

    def count(self) -> dict[str, int]:
        """Return counts of the service's own, for the operator who watches it; any thread may call it."""
        return {}


class RawService(Service):
    """A service of bytes; the client speaks first."""

    def make_reaction(self, peer: RawPeer) -> Callable[[memoryview], object]:
        """Return the function that the event thread calls with the bytes from `peer`: `received`, or a shorter way."""
        return partial(self.received, peer)

    def received(self, peer: RawPeer, data: memoryview) -> None:
        """React to bytes from `peer`; `data` is valid during the call only."""

    def ended(self, peer: RawPeer) -> None:
        """React to the end of the input of `peer`; bytes sent now still reach the client."""

    def describe_client(self, peer: RawPeer) -> ClientDescription:  # noqa: ARG002  bytes have no login
        """Return what the service knows of `peer`; any thread may call it, at any time, and it must not block."""
        return NOBODY


class MessageService(Service):
    """A service of messages; it greets first, and serves frames and lines on the same port.

    Attributes:
        unmarked_room: The room whose name isn't put in front of its messages on a line.
    """

    unmarked_room: ClassVar[str] = ""
    speaks_messages = True

    def joined(self, peer: Peer) -> None:
        """React to a new client; not called where the service begins with a conversation."""

    def watched(self, peer: Peer) -> None:
        """React to a client whose conversation is over; from now on the service gets its batches."""

    def received(self, peer: Peer, batch: list[Message]) -> None:
        """React to the messages that have come from `peer`, one or more, in order."""

    def ended(self, peer: Peer) -> None:
        """React to the end of the input of `peer`, or to its `bye`; messages sent now still reach the client."""

    def left(self, peer: Peer, reason: Reason, /) -> None:
        """React to the end of the connection with `peer`, which receives no more messages."""

    def describe_client(self, peer: Peer) -> ClientDescription:  # noqa: ARG002  most services know nobody
        """Return what the service knows of `peer`; any thread may call it, at any time, and it must not block."""
        return NOBODY


class ConnectionService(Service):
    """A service that works on the connections themselves, such as one that relays them; the client speaks first.

    Each connection begins in a handler thread of its own, in `Handler.converse`.
    """

    @abstractmethod
    def make_handler(self, connection: Connection, event_loop: EventLoop) -> Handler:
        """Return the handler of a new connection."""


class Conversation(ABC, Generic[P]):
    """A service that begins with a conversation, in a thread for each client, and may go on by reacting."""

    @abstractmethod
    def converse(self, peer: P) -> None:
        """Talk with `peer`; may block in its methods. The connection ends on return, unless `peer.watch` was called."""
