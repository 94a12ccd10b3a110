"""The events of a server of UDP. It knows no connections: a client is an address from which datagrams have come."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level
from sockctl.events.reasons import ForgottenReason, UnansweredReason
from sockctl.text import format_bytes, format_count, format_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpListening(Event):
    """The server takes datagrams from now on. `host` and `port` are those of its socket.

    `buffer_bytes` is the size of the kernel's receive buffer.
    """

    explained: ClassVar[int] = 1

    host: str
    port: int
    buffer_bytes: int

    @property
    def happened(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"Listening for datagrams on {host}:{self.port} (UDP)."

    @property
    def explanation(self) -> str:
        return (
            f"socket() made the server's socket, and bind() gave it this address. UDP has no listen() and no accept(): "
            f"one socket serves all. Up to {format_bytes(self.buffer_bytes)} may wait in the kernel's receive buffer; "
            f"it drops what comes beyond that, and tells no sender."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHeard(ConnectionEvent):
    """A datagram came from an address that the server doesn't remember.

    `clients` addresses are remembered now, this one included.
    """

    clients: int
    max_remembered: int

    @property
    def happened(self) -> str:
        return f"A client was heard ({self.clients:,} of {self.max_remembered:,} that are remembered)."

    @property
    def explanation(self) -> str:
        return "No handshake came before: UDP has none. The address that a datagram bears is all that is known of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsHeard(Event):
    """More addresses were heard in a second than the server tells one by one."""

    count: int
    seconds: float

    @property
    def happened(self) -> str:
        clients = format_count(self.count, "more client was", "more clients were")
        return f"{clients} heard in {format_seconds(self.seconds)}, and not told one by one."

    @property
    def explanation(self) -> str:
        return "Anyone can send under any address, so there may be fewer senders. The last sums have their datagrams."


@dataclass(frozen=True, slots=True, kw_only=True)
class _DatagramsMoved(ConnectionEvent):
    """Datagrams moved.

    Attributes:
        datagrams: How many.
        bytes: Bytes in them, without headers.
        sizes: The bytes of each, where there are few.
        seconds: The time of a sum; None for those of a moment.
    """

    datagrams: int
    bytes: int
    sizes: tuple[int, ...] | None = None
    seconds: float | None = None

    def _describe(self, verb: str) -> str:
        if self.seconds is not None or self.sizes is None:
            time = "" if self.seconds is None else f" within {format_seconds(self.seconds)}"
            return f"{verb} {format_count(self.datagrams, 'datagram')} of {format_bytes(self.bytes)} together{time}."
        if self.datagrams == 1:
            size = format_count(self.bytes, "byte")
            return f"{verb} a datagram of {size}." if self.bytes else f"{verb} an empty datagram."
        sizes = ", ".join(f"{size:,}" for size in self.sizes[:-1])
        return f"{verb} {self.datagrams} datagrams, of {sizes} and {self.sizes[-1]:,} bytes."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsReceived(_DatagramsMoved):
    """Datagrams came from a client. While traffic is busy, the event is a sum over `seconds`."""

    @property
    def happened(self) -> str:
        return self._describe("Received")

    @property
    def explanation(self) -> str:
        return "Each recvfrom() gave one datagram whole, as it was sent: UDP keeps borders, and knows empty ones."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsSent(_DatagramsMoved):
    """Datagrams went to a client. While traffic is busy, the event is a sum over `seconds`."""

    @property
    def happened(self) -> str:
        return self._describe("Sent")

    @property
    def explanation(self) -> str:
        return "Each sendto() handed one datagram to the kernel. Whether it arrives, nobody tells the server."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientForgotten(ConnectionEvent):
    """The server remembers an address no more. The counts are those since it was heard first."""

    reason: ForgottenReason
    datagrams_in: int
    datagrams_out: int
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def happened(self) -> str:
        came = f"{format_count(self.datagrams_in, 'datagram')} ({format_bytes(self.bytes_in)})"
        went = f"{self.datagrams_out:,} ({format_bytes(self.bytes_out)})"
        return (
            f"The client was forgotten, {format_seconds(self.seconds)} after it was heard first: {came} received and "
            f"{went} sent ({self.reason})."
        )

    @property
    def explanation(self) -> str:
        return self.reason.explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramUnanswered(Event):
    """The server took a datagram, and doesn't answer it."""

    level: ClassVar[Level] = Level.WARNING

    peer: str
    bytes: int
    reason: UnansweredReason

    @property
    def happened(self) -> str:
        size = f"A datagram of {format_count(self.bytes, 'byte')}" if self.bytes else "An empty datagram"
        return f"{size} from {self.peer} gets no answer: {self.reason.explanation}."

    @property
    def explanation(self) -> str:
        return "Its sender isn't told: to it, the datagram is lost."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsUnanswered(Event):
    """More datagrams got no answer in a second than the server tells one by one."""

    level: ClassVar[Level] = Level.WARNING

    count: int
    seconds: float
    reasons: dict[UnansweredReason, int]

    @property
    def happened(self) -> str:
        parts = (f"{count:,} because {why.explanation}" for why, count in self.reasons.items())
        datagrams = format_count(self.count, "more datagram")
        return f"{datagrams} got no answer in {format_seconds(self.seconds)}: {'; '.join(parts)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsFailed(Event):
    """The server of UDP raised errors that it should not raise: a defect of sockctl's.

    `count` is the number of errors since the last such event; `error` is the last of them.
    """

    level: ClassVar[Level] = Level.ERROR

    error: str
    count: int

    @property
    def happened(self) -> str:
        failed = "failed" if self.count == 1 else f"failed {self.count:,} times"
        return f"The server {failed}, and goes on with the next datagrams. This is a defect of sockctl's: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsDropped(Event):
    """The kernel dropped datagrams before the server could receive them: the receive buffer was full.

    `host` and `port` are those of the server's socket.
    """

    level: ClassVar[Level] = Level.WARNING

    host: str
    port: int
    count: int
    buffer_bytes: int

    @property
    def happened(self) -> str:
        return (
            f"The kernel dropped {format_count(self.count, 'datagram')}: the receive buffer of "
            f"{format_bytes(self.buffer_bytes)} was full."
        )

    @property
    def explanation(self) -> str:
        return (
            "They came faster than the server takes them. Their senders aren't told. 'sysctl -w net.core.rmem_max' "
            "lets the next start have a larger buffer."
        )
