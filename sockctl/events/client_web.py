"""The events of a client over WebSocket; a client without it doesn't load them."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.text import format_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketAgreed(Event):
    """The server has agreed to a WebSocket."""

    subprotocol: str | None = None

    @property
    def happened(self) -> str:
        of = "" if self.subprotocol is None else f" of the subprotocol {self.subprotocol}"
        return f"The server opened a WebSocket{of}."

    @property
    def explanation(self) -> str:
        return "It answered the HTTP request with status 101. From here on both sides send frames instead of HTTP."


@dataclass(frozen=True, slots=True, kw_only=True)
class PingReceived(Event):
    """The server has sent a Ping frame, and the client answers it with a Pong frame."""

    level: ClassVar[Level] = Level.DETAIL

    bytes: int

    @property
    def happened(self) -> str:
        return f"The server sent a Ping with {format_bytes(self.bytes)}; the client answers it."


@dataclass(frozen=True, slots=True, kw_only=True)
class PongReceived(Event):
    """The server has sent a Pong frame."""

    level: ClassVar[Level] = Level.DETAIL

    bytes: int

    @property
    def happened(self) -> str:
        return f"The server sent a Pong with {format_bytes(self.bytes)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class PingSent(Event):
    """The input has ended, and the client asks with a Ping frame whether the server has taken everything."""

    level: ClassVar[Level] = Level.DETAIL

    @property
    def happened(self) -> str:
        return "The input ended; the client sent a Ping."

    @property
    def explanation(self) -> str:
        return "A Close frame would cut off the answers of many servers. The Pong says that all messages have arrived."


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSent(Event):
    """The client has sent a Close frame: it sends nothing more."""

    code: int

    @property
    def happened(self) -> str:
        return f"The client sent a Close frame: {self.code}."

    @property
    def explanation(self) -> str:
        return "WebSocket has no half-close. A server may still send what is on its way, then its own Close frame."


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReceived(Event):
    """The server has sent a Close frame: it sends nothing more.

    Attributes:
        code: Its code; 1005 stands for none.
        reason: Its reason.
    """

    code: int
    reason: str

    @property
    def happened(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"The server sent a Close frame: {self.code}{reason}."
