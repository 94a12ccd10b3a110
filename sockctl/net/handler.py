"""What a connection calls when something happens on it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from sockctl.events.reasons import Reason


class Handler(ABC):
    """The service's side of a connection. Nothing here may block, except `converse`.

    Attributes:
        received: What the event thread calls with what it has read; the view is valid during the call only.
        watching: Whether the service asked to go on by reacting when its conversation is over.
    """

    __slots__ = ()

    received: Callable[[memoryview], object]
    watching: bool

    @abstractmethod
    def opened(self) -> None:
        """React to the connection, which the event loop knows, or whose conversation begins; nothing was read yet."""

    @abstractmethod
    def converse(self, conversation: Any) -> None:
        """Hold the conversation; its handler thread calls it.

        Raises:
            PeerGoneError: The connection is ending, and the connection says why.
        """

    @abstractmethod
    def resumed(self) -> None:
        """React to what was read already: a conversation is over, and the connection is watched."""

    @abstractmethod
    def ended(self) -> None:
        """React to the end of the client's input; what is sent now still reaches it."""

    def go_on(self) -> None:  # noqa: B027  bytes are never held
        """React to what was read and not decoded yet: the connection was held, and is let go."""

    def frame_expired(self) -> None:  # noqa: B027  bytes have no frames
        """Say that a frame was not complete in time; the connection is about to be ended for that."""

    def ending(self, reason: Reason) -> None:  # noqa: B027  bytes have no words
        """Say the last words: the connection is about to be ended for `reason`."""

    def closed(self, reason: Reason) -> None:  # noqa: B027  bytes leave nothing behind
        """React to the end of the connection."""
