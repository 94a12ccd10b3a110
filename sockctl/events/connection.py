"""The events of one connection, from its beginning to its end."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Level
from sockctl.events.reasons import Reason
from sockctl.text import format_bytes, format_count, format_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConnected(ConnectionEvent):
    """The server accepted a client, and let it in."""

    clients: int
    max_clients: int

    @property
    def happened(self) -> str:
        return f"A client connected ({self.clients:,} of {self.max_clients:,})."

    @property
    def explanation(self) -> str:
        return "accept() took it from the backlog and gave it a socket of its own."


def _describe_amount(count: int, portions: int, seconds: float | None) -> str:
    """Return ``6 bytes in 1 portion``, or for a sum ``12.0 MiB in 12,288 portions within 1.0 s``."""
    within = "" if seconds is None else f" within {format_seconds(seconds)}"
    return f"{format_bytes(count)} in {format_count(portions, 'portion')}{within}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived(ConnectionEvent):
    """The server received data. While traffic is busy, the event is a sum over `seconds`."""

    bytes: int
    portions: int
    seconds: float | None = None

    @property
    def happened(self) -> str:
        return f"Received {_describe_amount(self.bytes, self.portions, self.seconds)}."

    @property
    def explanation(self) -> str:
        return "recv() copied them from the kernel's receive buffer."


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSent(ConnectionEvent):
    """The server sent data. While traffic is busy, the event is a sum over `seconds`."""

    bytes: int
    portions: int
    seconds: float | None = None

    @property
    def happened(self) -> str:
        return f"Sent {_describe_amount(self.bytes, self.portions, self.seconds)}."

    @property
    def explanation(self) -> str:
        return "send() copied them into the kernel's send buffer, and TCP carries them from there."


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEnded(ConnectionEvent):
    """The client shut its sending side; it may still receive."""

    level: ClassVar[Level] = Level.DETAIL

    @property
    def happened(self) -> str:
        return "The client sends no more."

    @property
    def explanation(self) -> str:
        return "Its FIN came. The client still gets what is on the way to it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingPaused(ConnectionEvent):
    """The client doesn't read, so the server doesn't read from it either."""

    level: ClassVar[Level] = Level.DETAIL

    queued_bytes: int

    @property
    def happened(self) -> str:
        return f"The client doesn't read: {format_bytes(self.queued_bytes)} wait in its outbox."

    @property
    def explanation(self) -> str:
        return "The server reads nothing from it until they are gone, so TCP slows it down (flow control)."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingResumed(ConnectionEvent):
    """The client has read, its outbox is empty, and the server reads from it again."""

    level: ClassVar[Level] = Level.DETAIL

    @property
    def happened(self) -> str:
        return "The client took what waited for it."

    @property
    def explanation(self) -> str:
        return "The server reads from it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsEstablished(ConnectionEvent):
    """The TLS handshake is done."""

    version: str
    cipher: str

    @property
    def happened(self) -> str:
        return f"The TLS handshake is done: {self.version} with {self.cipher}."

    @property
    def explanation(self) -> str:
        return "From here on everything is encrypted."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailed(ConnectionEvent):
    """The TLS handshake failed, and the server ends the connection."""

    level: ClassVar[Level] = Level.WARNING

    error: str

    @property
    def happened(self) -> str:
        return f"The TLS handshake failed: {self.error}."

    @property
    def explanation(self) -> str:
        return "Nothing was exchanged, and the server ends the connection."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolBroken(ConnectionEvent):
    """The client sent something that is no message. The server tells it so, and ends the connection."""

    level: ClassVar[Level] = Level.WARNING

    code: str
    error: str

    @property
    def happened(self) -> str:
        return f"The client broke the protocol ({self.code}) and is told so: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputThrottled(ConnectionEvent):
    """The client sends more than its budget allows, so the server reads from it more slowly."""

    seconds: float

    @property
    def happened(self) -> str:
        return "The client, or its address, sends more than its budget of work allows."

    @property
    def explanation(self) -> str:
        return f"The server reads nothing from it for {self.seconds:g} s, so TCP slows it down. Others notice nothing."


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowReaderDropped(ConnectionEvent):
    """The outbox of the client is full with what others said, and the server ends the connection."""

    level: ClassVar[Level] = Level.WARNING

    queued_bytes: int

    @property
    def happened(self) -> str:
        return f"The client doesn't read: {format_bytes(self.queued_bytes)} wait in its outbox, and no more may."

    @property
    def explanation(self) -> str:
        return "The server drops the client, so that nobody has to wait for it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFailed(ConnectionEvent):
    """The service raised an error that it should not raise: a defect of sockctl's."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def happened(self) -> str:
        return f"The service failed on this connection; the others go on. This is a defect of sockctl's: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDisconnected(ConnectionEvent):
    """A connection ended; its place is free. The counts are those of the whole connection."""

    reason: Reason
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def happened(self) -> str:
        return (
            f"The connection ended after {format_seconds(self.seconds)}, {format_bytes(self.bytes_in)} received and "
            f"{format_bytes(self.bytes_out)} sent ({self.reason})."
        )

    @property
    def explanation(self) -> str:
        return self.reason.explanation
