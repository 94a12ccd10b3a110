"""The events of connections that begin with HTTP."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class PageServed(Event):
    """The address of the server's page, for a browser."""

    url: str

    @property
    def happened(self) -> str:
        return f"For a browser: {self.url}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswered(ConnectionEvent):
    """The server answered an HTTP request."""

    level: ClassVar[Level] = Level.DETAIL

    method: str
    target: str
    status: int

    @property
    def happened(self) -> str:
        return f"Answered {self.method} {self.target} with status {self.status}."


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(ConnectionEvent):
    """The server refused an HTTP request, and told the client why."""

    status: int
    error: str

    @property
    def happened(self) -> str:
        return f"Refused an HTTP request with status {self.status}: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOpened(ConnectionEvent):
    """An HTTP request has become a WebSocket."""

    origin: str | None = None

    @property
    def happened(self) -> str:
        who = "A program" if self.origin is None else f"The page {self.origin}"
        return f"{who} opened a WebSocket."

    @property
    def explanation(self) -> str:
        return "The server agreed with status 101. From here on both sides send frames instead of HTTP."
