"""The events of a client, from its first try to connect to the end."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.text import format_bytes, format_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting(Event):
    """The client tries an address."""

    level: ClassVar[Level] = Level.DETAIL

    peer: str

    @property
    def text(self) -> str:
        return f"Trying {self.peer}: socket() made a socket, connect() asks the other side for a connection (SYN)."


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFailed(Event):
    """One address could not be connected to; the next one is tried."""

    level: ClassVar[Level] = Level.DETAIL

    peer: str
    error: str

    @property
    def text(self) -> str:
        return f"{self.peer} gave no connection: {self.error}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying(Event):
    """No address worked; all of them are tried again after a pause."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    seconds: float
    left: int

    @property
    def text(self) -> str:
        return f"{self.error} Trying again in {self.seconds:g} s ({self.left} left)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Event):
    """The connection is made."""

    peer: str
    local: str

    @property
    def text(self) -> str:
        return (
            f"Connected to {self.peer}: the three-way handshake is done, and the system gave this side the address "
            f"{self.local}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted(Event):
    """The server has greeted as a message service, and this side has changed to frames."""

    service: str

    @property
    def text(self) -> str:
        return (
            f"The server greeted as the message service {self.service}: from here on both sides speak in frames, a "
            f"4-byte length and a JSON message."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSent(Event):
    """Data went to the server; a sum over `seconds` where traffic is busy."""

    bytes: int
    seconds: float | None = None

    @property
    def text(self) -> str:
        within = "" if self.seconds is None else f" within {format_seconds(self.seconds)}"
        return f"Sent {format_bytes(self.bytes)}{within}: send() copied them into the kernel's send buffer."


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived(Event):
    """Data came from the server; a sum over `seconds` where traffic is busy."""

    bytes: int
    seconds: float | None = None

    @property
    def text(self) -> str:
        within = "" if self.seconds is None else f" within {format_seconds(self.seconds)}"
        return f"Received {format_bytes(self.bytes)}{within}: recv() copied them from the kernel's receive buffer."


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEnded(Event):
    """This side sends no more; it still receives."""

    @property
    def text(self) -> str:
        return (
            "The input ended: shutdown(SHUT_WR) told the server (FIN) that nothing more comes; its answers are still "
            "read."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(Event):
    """The connection ended; `reason` is the key of a sentence in `text`."""

    reason: str
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def text(self) -> str:
        why = {
            "server_closed": "The server ended the connection (recv() returned no bytes: its FIN came)",
            "client_exit": "You ended the connection, close() told the server",
            "quit_after": "The time of --quit-after was up",
            "stopped": "Everything asked for was done, and the connection was closed",
            "protocol_error": "The server broke the protocol, and the connection was closed",
            "failed": "The connection was closed after a failure",
            "reset": "The server broke the connection off (RST)",
            "interrupted": "Interrupted, the connection was closed",
            "output_closed": "Nobody reads the output any more, so the connection was closed",
        }[self.reason]
        return (
            f"{why}, after {format_seconds(self.seconds)}: {format_bytes(self.bytes_out)} sent and "
            f"{format_bytes(self.bytes_in)} received."
        )
