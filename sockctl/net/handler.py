"""The handler of a connection, which the event loop calls when something happens on the connection."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from sockctl.events.reasons import Reason
from sockctl.net.client_description import NOBODY, ClientDescription


class Handler(ABC):
    """The service's side of a connection. Nothing here may block, except `converse`.

    Attributes:
        received: Called by the event thread with the bytes that it has read; the view is valid during the call only.
        watching: Whether reactions follow the conversation.
        keeps: Whether the handler keeps the connection when `converse` returns: another thread of the service goes on
            with it, as its owner, and calls `EventLoop.release` at the end.
    """

    __slots__ = ()

    received: Callable[[memoryview], object]
    watching: bool

    @property
    def keeps(self) -> bool:
        """As above; most handlers don't."""
        return False

    @property
    def wire(self) -> str:
        """The wire, in a word for people; bytes have none."""
        return "raw"

    def describe(self) -> ClientDescription:
        """Return what the service knows of the client; any thread may call it. Nothing is known of who sends bytes."""
        return NOBODY

    @abstractmethod
    def opened(self) -> None:
        """React to a new connection; the event loop has read nothing yet."""

    @abstractmethod
    def converse(self, service: Any) -> None:
        """Hold the conversation, or set `watching` at once for a service without one; its handler thread calls it.

        Raises:
            PeerGoneError: The connection is ending, and the connection says why.
        """

    @abstractmethod
    def resumed(self) -> None:
        """React to input that was read already: the conversation is over, and the connection is watched."""

    @abstractmethod
    def ended(self) -> None:
        """React to the end of the client's input; bytes sent now still reach the client."""

    def go_on(self) -> None:  # noqa: B027  bytes are never held
        """React to input that was read and not decoded yet: the connection is no longer held."""

    def frame_expired(self) -> None:  # noqa: B027  bytes have no frames
        """Send the client that its frame was not complete in time; the event loop is about to close the connection."""

    def ending(self, reason: Reason) -> None:  # noqa: B027  bytes have no words
        """Send the last words: the event loop is about to close the connection for `reason`."""

    def closed(self, reason: Reason) -> None:  # noqa: B027  bytes leave nothing behind
        """React to the end of the connection."""
