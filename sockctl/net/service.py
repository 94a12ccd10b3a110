"""The forms in which a service is written: reacting to bytes or to messages, after a conversation or at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Generic, TypeVar

from sockctl.events.journal import Journal
from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer, RawPeer
from sockctl.protocol.messages import Message

P = TypeVar("P", bound=Peer | RawPeer)


class Service(ABC):
    """What a server serves. It is called by the event threads, and must never block.

    Calls for one client come in order, one at a time. Calls for several clients may come at once where the server has
    several event threads.

    Attributes:
        name: Its name, in events and in the greeting.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def does(self) -> str:
        """One sentence that says what the service does, told at the start."""

    def start(self, journal: Journal) -> None:  # noqa: B027  most services need nothing
        """Begin; the server calls it before the first client comes. Events go to `journal`."""

    def stop(self) -> None:  # noqa: B027  as above
        """End; the server calls it when the last client has gone."""


class RawService(Service):
    """A service of bytes; it says nothing first."""

    def reaction(self, peer: RawPeer) -> Callable[[memoryview], object]:
        """Return what is called with the bytes from `peer`, many times a second: `received`, or something shorter."""
        return partial(self.received, peer)

    def received(self, peer: RawPeer, data: memoryview) -> None:
        """React to bytes from `peer`; `data` is valid during the call only."""

    def ended(self, peer: RawPeer) -> None:
        """React to the end of the input of `peer`; what is sent now still reaches it."""


class MessageService(Service):
    """A service of messages; it greets first, and serves frames and lines on the same port.

    Attributes:
        unmarked_room: The room whose name doesn't stand in front of what is said there, on a line.
    """

    unmarked_room: ClassVar[str] = ""

    def joined(self, peer: Peer) -> None:
        """React to a new client; not called where the service begins with a conversation."""

    def watched(self, peer: Peer) -> None:
        """React to a client whose conversation is over, and who goes on by reacting; nothing was received yet."""

    def received(self, peer: Peer, batch: list[Message]) -> None:
        """React to the messages that have come from `peer`, one or more, in order."""

    def ended(self, peer: Peer) -> None:
        """React to the end of what `peer` says, its goodbye as well; what is sent now still reaches it."""

    def left(self, peer: Peer, reason: Reason, /) -> None:
        """React to the end of the connection with `peer`; nothing more reaches it."""


class Conversation(ABC, Generic[P]):
    """A service that talks in turns first, in a thread of its own per client, and may go on by reacting."""

    @abstractmethod
    def converse(self, peer: P) -> None:
        """Talk with `peer`; may block in its methods. The connection ends on return, unless `peer.watch` was called."""
