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


def describe_amount(count: int, seconds: float | None) -> str:
    """Return ``2,500 bytes``, or for a sum over `seconds` ``12.0 MiB``."""
    return format_count(count, "byte") if seconds is None else format_bytes(count)


def describe_calls(count: int, call: str, seconds: float | None) -> str:
    """Return ``one recv()``, or for a sum ``197 recv() calls within 1.0 s``; `call` may also be a noun, ``read``."""
    calls = f"one {call}" if count == 1 else format_count(count, f"{call} call" if call.endswith("()") else call)
    return calls if seconds is None else f"{calls} within {format_seconds(seconds)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _DataMoved(ConnectionEvent):
    """Data moved.

    Attributes:
        bytes: How many bytes.
        portions: The portions of each call, its last one possibly a smaller one, added up.
        portion_bytes: The most bytes of a portion.
        seconds: The time of a sum; None for calls of a moment.
        encrypted: True under TLS. The bytes are decrypted ones then, and a call is one of TLS.
    """

    bytes: int
    portions: int
    portion_bytes: int
    seconds: float | None = None
    encrypted: bool | None = None

    def _describe(self, calls: int, call: str) -> str:
        portions = "1 portion" if self.portions == 1 else f"{self.portions:,} portions of up to {self.portion_bytes:,}"
        amount = describe_amount(self.bytes, self.seconds)
        return f"{amount} in {describe_calls(calls, call, self.seconds)}: {portions}."


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived(_DataMoved):
    """The server received data, in so many reads. While traffic is busy, the event is a sum over `seconds`."""

    reads: int

    @property
    def happened(self) -> str:
        return f"Received {self._describe(self.reads, 'read' if self.encrypted else 'recv()')}"

    @property
    def explanation(self) -> str:
        decrypted = ", and TLS decrypted them" if self.encrypted else ""
        return f"recv() copied them from the kernel's receive buffer{decrypted}."


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSent(_DataMoved):
    """The server sent data, in so many sends. While traffic is busy, the event is a sum over `seconds`."""

    sends: int

    @property
    def happened(self) -> str:
        return f"Sent {self._describe(self.sends, 'write' if self.encrypted else 'send()')}"

    @property
    def explanation(self) -> str:
        encrypted = "TLS encrypted them, " if self.encrypted else ""
        if self.is_local:
            return f"{encrypted}send() copied them into the receive buffer of the client's socket."
        return f"{encrypted}send() copied them into the kernel's send buffer, and TCP carries them from there."


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEnded(ConnectionEvent):
    """The client shut its sending side; it may still receive."""

    level: ClassVar[Level] = Level.DETAIL

    @property
    def happened(self) -> str:
        return "The client sends no more."

    @property
    def explanation(self) -> str:
        how = "shutdown() shut its sending side" if self.is_local else "Its FIN came"
        return f"{how}. The client still gets what is on the way to it."


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
        slower = "the kernel" if self.is_local else "TCP"
        return f"The server reads nothing from it until they are gone, so {slower} slows it down (flow control)."


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
        slower = "the kernel" if self.is_local else "TCP"
        return (
            f"The server reads nothing from it for {self.seconds:g} s, so {slower} slows it down. Others notice "
            f"nothing."
        )


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
        text = self.reason.explanation
        if not self.is_local:
            return text
        return self.reason.local_explanation or text.replace("its FIN came, and ", "").replace("its RST came. ", "")
