"""The events of one connection, from its beginning to its end."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Level
from sockctl.events.reasons import Reason
from sockctl.text import format_bytes, format_seconds, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConnected(ConnectionEvent):
    """A client was accepted and let in."""

    clients: int
    max_clients: int

    @property
    def text(self) -> str:
        return (
            f"A client connected: accept() took it from the backlog and gave it a socket of its own "
            f"({self.clients:,} of {self.max_clients:,} clients)."
        )


def _amount(count: int, portions: int, seconds: float | None) -> str:
    """Return ``6 bytes in 1 portion``, or for a sum ``12.0 MiB in 12,288 portions within 1.0 s``."""
    within = "" if seconds is None else f" within {format_seconds(seconds)}"
    return f"{format_bytes(count)} in {plural(portions, 'portion')}{within}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived(ConnectionEvent):
    """Data came from the client; a sum over `seconds` where traffic is busy."""

    bytes: int
    portions: int
    seconds: float | None = None

    @property
    def text(self) -> str:
        amount = _amount(self.bytes, self.portions, self.seconds)
        return f"Received {amount}: recv() copied them from the kernel's receive buffer."


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSent(ConnectionEvent):
    """Data went to the client; a sum over `seconds` where traffic is busy."""

    bytes: int
    portions: int
    seconds: float | None = None

    @property
    def text(self) -> str:
        amount = _amount(self.bytes, self.portions, self.seconds)
        return f"Sent {amount}: send() copied them into the kernel's send buffer, TCP carries them from there."


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEnded(ConnectionEvent):
    """The client shut its sending side; it may still receive."""

    level: ClassVar[Level] = Level.DETAIL

    @property
    def text(self) -> str:
        return "The client sends no more (its FIN came); it still gets what is on the way to it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingPaused(ConnectionEvent):
    """The client doesn't read, so it isn't read from either."""

    level: ClassVar[Level] = Level.DETAIL

    queued_bytes: int

    @property
    def text(self) -> str:
        return (
            f"The client doesn't take what is sent to it: {format_bytes(self.queued_bytes)} wait in its outbox. "
            f"Nothing more is read from it until they are gone, so TCP slows it down (flow control)."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingResumed(ConnectionEvent):
    """The client read, its outbox is empty, and it is read from again."""

    level: ClassVar[Level] = Level.DETAIL

    @property
    def text(self) -> str:
        return "The client took what waited for it, so it is read from again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsEstablished(ConnectionEvent):
    """The TLS handshake is done."""

    version: str
    cipher: str

    @property
    def text(self) -> str:
        return f"The TLS handshake is done: {self.version} with {self.cipher}. From here on everything is encrypted."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailed(ConnectionEvent):
    """The TLS handshake failed; the connection is ended."""

    level: ClassVar[Level] = Level.WARNING

    error: str

    @property
    def text(self) -> str:
        return f"The TLS handshake failed: {self.error}. Nothing was exchanged, and the connection is ended."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolBroken(ConnectionEvent):
    """The client sent what is no message; it is told so, and the connection is ended."""

    level: ClassVar[Level] = Level.WARNING

    code: str
    error: str

    @property
    def text(self) -> str:
        return f"The client broke the protocol ({self.code}) and is told so: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputThrottled(ConnectionEvent):
    """The client sends more than its budget allows: it is read from more slowly."""

    seconds: float

    @property
    def text(self) -> str:
        return (
            f"The client, or its address, sends more than its budget of work allows. Nothing is read from it for "
            f"{self.seconds:g} s, so TCP slows it down, and the others notice nothing."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowReaderDropped(ConnectionEvent):
    """The client's outbox is full with what others said; the connection is ended."""

    level: ClassVar[Level] = Level.WARNING

    queued_bytes: int

    @property
    def text(self) -> str:
        return (
            f"The client doesn't read: {format_bytes(self.queued_bytes)} wait in its outbox, and no more may. It is "
            f"dropped, so that nobody has to wait for it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFailed(ConnectionEvent):
    """The service raised an error that it should not have: a defect of sockctl's."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def text(self) -> str:
        return f"The service failed on this connection, the others go on. This is a defect of sockctl's: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDisconnected(ConnectionEvent):
    """A connection ended; its slot is free. The counts are those of the whole connection."""

    reason: Reason
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def text(self) -> str:
        return (
            f"The connection ended after {format_seconds(self.seconds)}, {format_bytes(self.bytes_in)} received and "
            f"{format_bytes(self.bytes_out)} sent. {self.reason.explanation}"
        )
