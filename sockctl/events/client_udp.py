"""The events of a client of UDP; a client without it doesn't load them."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.text import format_bytes, format_count, format_delay, format_seconds

_ENDED = {
    "client_exit": "You ended the session",
    "quit_after": "The time of --quit-after was up",
    "stopped": "Everything asked for was done",
    "failed": "The session ended after a failure",
    "interrupted": "The session was interrupted",
    "output_closed": "Nobody reads the output any more",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsOpened(Event):
    """The client has a socket for datagrams to an address."""

    peer: str
    local: str

    @property
    def happened(self) -> str:
        return f"Datagrams go to {self.peer}, from {self.local}."

    @property
    def explanation(self) -> str:
        return (
            "socket() made a socket of UDP, and connect() fixed its other end. No packet went out for that: whether "
            "a server is there, only its first answer will tell."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _DatagramMoved(Event):
    """A datagram, or a sum of several over `seconds`."""

    datagrams: int
    bytes: int
    seconds: float | None = None

    def _describe(self, verb: str) -> str:
        if self.seconds is not None:
            count = format_count(self.datagrams, "datagram")
            return f"{verb} {count} of {format_bytes(self.bytes)} together within {format_seconds(self.seconds)}"
        if not self.bytes:
            return f"{verb} an empty datagram"
        return f"{verb} a datagram of {format_count(self.bytes, 'byte')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramSent(_DatagramMoved):
    """The client sent a datagram. While many go out, the event is a sum over `seconds`."""

    @property
    def happened(self) -> str:
        return f"{self._describe('Sent')}."

    @property
    def explanation(self) -> str:
        return "send() handed it to the kernel whole. Nothing acknowledges it: only an answer shows that it arrived."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramReceived(_DatagramMoved):
    """A datagram came. While many come, the event is a sum over `seconds`.

    `round_trip_s` is the time since the datagram was sent that came back; None where it was none of the client's own.
    """

    round_trip_s: float | None = None

    @property
    def happened(self) -> str:
        took = "" if self.round_trip_s is None else f", {format_delay(self.round_trip_s)} after it was sent"
        return f"{self._describe('Received')}{took}."

    @property
    def explanation(self) -> str:
        return "recv() gave it whole, as it was sent: UDP keeps borders."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsLost(Event):
    """Datagrams got no answer within ``--timeout``."""

    level: ClassVar[Level] = Level.WARNING

    count: int
    timeout_s: float

    @property
    def happened(self) -> str:
        return f"{format_count(self.count, 'datagram')} got no answer within {self.timeout_s:g} s."

    @property
    def explanation(self) -> str:
        return "It was lost on its way, its answer was, or nobody answers: UDP can't tell, and sends nothing again."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramRefused(Event):
    """The system reported that an earlier datagram did not arrive."""

    level: ClassVar[Level] = Level.WARNING

    peer: str
    error: str

    @property
    def happened(self) -> str:
        if self.error == "refused":
            return f"{self.peer} refused a datagram: nothing listens on that port."
        return f"A datagram to {self.peer} did not go out: {self.error}."

    @property
    def explanation(self) -> str:
        if self.error != "refused":
            return "send() failed, and nothing went out."
        return 'Its machine answered with ICMP "port unreachable", which the next call reported as ECONNREFUSED.'


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsEnded(Event):
    """The session ended; the counts are those of the whole session.

    Attributes:
        answered: Datagrams that got an answer in time.
        lost: Those that got none within ``--timeout``, or were refused.
        waiting: Those that had none yet at the end, and whose time wasn't up.
        echoed: Answers that were a datagram of the client's own. Of these alone it knows the next three.
        out_of_order: Those that came behind the answer to a later one.
        duplicates: Those that came once more.
        late: Those that came after ``--timeout``; they stay lost.
    """

    reason: str
    sent: int
    received: int
    answered: int
    lost: int
    waiting: int
    echoed: int
    out_of_order: int
    duplicates: int
    late: int
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def happened(self) -> str:
        extra = (
            (self.waiting, "without an answer yet"),
            (self.out_of_order, "out of order"),
            (self.duplicates, "twice"),
            (self.late, "too late"),
        )
        further = "".join(f", {count:,} {what}" for count, what in extra if count)
        sent = f"{format_count(self.sent, 'datagram')} ({format_bytes(self.bytes_out)}) sent"
        received = f"{self.received:,} ({format_bytes(self.bytes_in)}) received"
        return (
            f"{_ENDED.get(self.reason, _ENDED['failed'])} after {format_seconds(self.seconds)}: {sent} and {received}; "
            f"{self.answered:,} answered, {self.lost:,} lost{further}."
        )

    @property
    def explanation(self) -> str:
        if self.received and not self.echoed:
            return (
                "No answer was a datagram of the client's own, as an echo's is. So each answer counts for the oldest "
                "datagram that waited, and the client can't know their order or repetitions."
            )
        return "close() freed the port. The server isn't told: UDP has no goodbye."
