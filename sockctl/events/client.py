"""The events of a client, from its first attempt to connect to the end.

`sockctl listen` has a client's session, too, with a client at the other end. Its events carry that client's number in
`connection`, and their sentences say "the client" where a client says "the server".
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.events.connection import describe_amount, describe_calls
from sockctl.text import format_bytes, format_count, format_delay, format_seconds

ENDED = {
    "server_closed": "The server ended the connection",
    "client_closed": "The client ended the connection",
    "websocket_closed": "The server closed the WebSocket",
    "client_exit": "You ended the connection",
    "quit_after": "The time of --quit-after was up, and the client closed the connection",
    "stopped": "Everything asked for was done, and the client closed the connection",
    "protocol_error": "The server broke the protocol, and the client closed the connection",
    "failed": "The client closed the connection after a failure",
    "reset": "The server broke the connection off (RST)",
    "interrupted": "Interrupted, the client closed the connection",
    "output_closed": "Nobody reads the output any more, and the client closed the connection",
}
"""Why a client's connection ended, by the reason."""


def swap_sides(text: str, *, own: str = "this side") -> str:
    """Return a sentence of a client about its server as one of a listener about its client.

    Args:
        text: The sentence.
        own: What the listener calls itself; empty where the sentence doesn't name the client.
    """
    if own:
        text = text.replace("the client", own).replace("The client", own.capitalize())
    return text.replace("the server", "the client").replace("The server", "The client")


_WHAT_ENDED_IT = {
    "server_closed": "recv() returned no bytes: the FIN of the server came.",
    "client_closed": "recv() returned no bytes: the FIN of the client came.",
    "client_exit": "close() told the server.",
    "reset": "What was on the way is lost.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting(Event):
    """The client tries to connect to an address."""

    level: ClassVar[Level] = Level.DETAIL

    peer: str

    @property
    def happened(self) -> str:
        return f"Trying {self.peer}."

    @property
    def explanation(self) -> str:
        if self.peer.startswith("unix:"):
            return "socket() made a Unix socket, and connect() asks the kernel to join it with the server's."
        return "socket() made a socket, and connect() asks the other side for a connection (SYN)."


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFailed(Event):
    """The client could not connect to one address, and tries the next one."""

    level: ClassVar[Level] = Level.DETAIL

    peer: str
    error: str

    @property
    def happened(self) -> str:
        return f"{self.peer} gave no connection: {self.error}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying(Event):
    """The client could not connect to any address, and tries all of them again after a pause."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    seconds: float
    left: int

    @property
    def happened(self) -> str:
        return f"{self.error} Trying again in {self.seconds:g} s ({self.left} left)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Event):
    """The client has connected."""

    peer: str
    local: str

    @property
    def happened(self) -> str:
        return f"Connected to {self.peer}."

    @property
    def explanation(self) -> str:
        if self.peer.startswith("unix:"):
            return (
                f"The kernel has joined both sockets, without a network. It tells the server who this is: {self.local}."
            )
        return f"The three-way handshake is done, and the system gave this side the address {self.local}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted(Event):
    """The server has greeted as a message service, and the client has changed to frames."""

    service: str

    @property
    def happened(self) -> str:
        return f"The server greeted as the message service {self.service}."

    @property
    def explanation(self) -> str:
        return "From here on both sides speak in frames: a 4-byte length and a JSON message."


@dataclass(frozen=True, slots=True, kw_only=True)
class _DataMoved(Event):
    """Data moved.

    Attributes:
        bytes: How many bytes.
        since_last_s: The time since the last call that has moved bytes, in either direction; None for the first one,
            and for a sum.
        seconds: The time of a sum; None for one call.
        encrypted: True under TLS. The bytes are decrypted ones then, and a call is one of TLS.
        connection: The number of the client, where this side has listened.
    """

    bytes: int
    connection: int | None = None
    since_last_s: float | None = None
    seconds: float | None = None
    encrypted: bool | None = None

    def _describe(self, calls: int, call: str) -> str:
        since = "" if self.since_last_s is None else f", {format_delay(self.since_last_s)} after the last call"
        return f"{describe_amount(self.bytes, self.seconds)} in {describe_calls(calls, call, self.seconds)}{since}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSent(_DataMoved):
    """The client sent data, in so many sends. While traffic is busy, the event is a sum over `seconds`."""

    sends: int

    @property
    def happened(self) -> str:
        return f"Sent {self._describe(self.sends, 'write' if self.encrypted else 'send()')}."

    @property
    def explanation(self) -> str:
        encrypted = "TLS encrypted them, " if self.encrypted else ""
        return f"{encrypted}send() copied them into the kernel's send buffer."


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived(_DataMoved):
    """The client received data, in so many reads. While traffic is busy, the event is a sum over `seconds`.

    `messages` is the number of messages that have become complete; raw bytes have none.
    """

    reads: int
    messages: int | None = None

    @property
    def happened(self) -> str:
        whole = "no whole message" if self.messages == 0 else format_count(self.messages or 0, "whole message")
        completed = "" if self.messages is None else f": {whole}"
        return f"Received {self._describe(self.reads, 'read' if self.encrypted else 'recv()')}{completed}."

    @property
    def explanation(self) -> str:
        decrypted = ", and TLS decrypted them" if self.encrypted else ""
        return f"recv() copied them from the kernel's receive buffer{decrypted}."


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEnded(Event):
    """The client sends no more; it still receives. `local` is true at a Unix socket."""

    connection: int | None = None
    local: bool | None = None

    @property
    def happened(self) -> str:
        return "The input ended."

    @property
    def explanation(self) -> str:
        by = "" if self.local else " (FIN)"
        text = f"shutdown(SHUT_WR) told the server{by} that nothing more comes. The client still reads its answers."
        return text if self.connection is None else swap_sides(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(Event):
    """The connection ended. `local` is true at a Unix socket."""

    connection: int | None = None
    reason: str
    bytes_in: int
    bytes_out: int
    seconds: float
    local: bool | None = None

    @property
    def happened(self) -> str:
        ended = ENDED[self.reason].removesuffix(" (RST)") if self.local else ENDED[self.reason]
        if self.connection is not None and self.reason != "client_closed":
            ended = swap_sides(ended)
        return (
            f"{ended} after {format_seconds(self.seconds)}: {format_bytes(self.bytes_out)} sent and "
            f"{format_bytes(self.bytes_in)} received."
        )

    @property
    def explanation(self) -> str:
        text = _WHAT_ENDED_IT.get(self.reason, "")
        if self.local:
            text = re.sub("the FIN of the (server|client) came", r"the \1 ended its side", text)
        return text if self.connection is None else swap_sides(text, own="")
