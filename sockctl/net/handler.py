"""What a connection calls when something happens on it."""

from collections.abc import Callable
from typing import Any, Protocol

from sockctl.events.reasons import Reason

__all__ = ["Handler"]


class Handler(Protocol):
    """What is called when something happens on a connection. Nothing here may block, except `converse`."""

    watching: bool
    """Whether the service asked to go on by reacting when its conversation is over."""

    @property
    def received(self) -> Callable[[memoryview], object]:
        """What the event thread calls with what it has read; the view is valid during the call only."""
        ...

    def go_on(self) -> None:
        """The connection was held, and is let go: react to what was read and not decoded yet."""
        ...

    def opened(self) -> None:
        """The event loop knows the connection, or its conversation begins; nothing was read yet."""
        ...

    def converse(self, conversation: Any) -> None:
        """Hold the conversation; its handler thread calls it.

        Raises:
            PeerGoneError: The connection is ending, and the connection says why.
        """
        ...

    def resumed(self) -> None:
        """A conversation is over, and the connection is watched: react to what was read already."""
        ...

    def ended(self) -> None:
        """The client's input has ended; what is sent now still reaches it."""
        ...

    def frame_expired(self) -> None:
        """A frame that has begun was not complete in time; the connection is about to be ended for it."""
        ...

    def ending(self, reason: Reason) -> None:
        """The connection is about to be ended for `reason`: say the last words."""
        ...

    def closed(self, reason: Reason) -> None:
        """The connection is closed."""
        ...
