"""The two forms in which a service is written."""

from abc import ABC, abstractmethod
from typing import ClassVar

from sockctl.net.peer import Peer

__all__ = ["Conversation", "Service"]


class Service(ABC):
    """A service that reacts: it is called when something has arrived, and must never block.

    Calls for one client come in order, one at a time. Calls for several clients may come at once where the server has
    several event threads.

    Attributes:
        name: Its name in events.
        does: One sentence that says what it does, told at the start.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def does(self) -> str:
        """One sentence that says what the service does."""

    def received(self, peer: Peer, data: memoryview) -> None:  # noqa: B027  a conversation need not react
        """React to bytes from `peer`; `data` is valid during the call only."""

    def ended(self, peer: Peer) -> None:  # noqa: B027  most services have nothing left to say
        """React to the end of the input of `peer`; what is sent now still reaches it."""


class Conversation(Service):
    """A service that talks in turns first, in a thread of its own per client, and may go on by reacting."""

    @abstractmethod
    def converse(self, peer: Peer) -> None:
        """Talk with `peer`; may block in its methods. The connection ends on return, unless `peer.watch` was called."""
