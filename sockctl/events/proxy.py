"""The events of the proxy: what passes between a client and the target."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sockctl.events.base import HELD_BYTES, ConnectionEvent, Event, Level
from sockctl.text import format_bytes, format_count, format_delay, format_seconds

TO_TARGET = "to_target"
TO_CLIENT = "to_client"
_MARKS = {TO_TARGET: ">", TO_CLIENT: "<"}
_SENDERS = {TO_TARGET: "client", TO_CLIENT: "target"}
_GETTERS = {TO_TARGET: "target", TO_CLIENT: "client"}

NO_RESETS = "A Unix socket has no resets: a client whose bytes have all been read sees an end."
"""What closing does to a client at a Unix socket. Linux reports ECONNRESET to one with bytes that nobody has read."""

_Bytes = bytes
"""The type, in a class whose field has its name."""


def _format_gap(gap_s: float) -> str:
    """Return a time in milliseconds or seconds. It is ASCII, since a long dump in other text is slow to write."""
    return f"{gap_s * 1000:.3g} ms" if gap_s < 1 else format_seconds(gap_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetConnected(ConnectionEvent):
    """The proxy connected to the target for a client, in so many seconds.

    `target` is as the user has named it, `address` is the one that took the connection.
    """

    target: str
    address: str
    seconds: float
    tls: str | None = None

    @property
    def happened(self) -> str:
        at = "" if self.address == self.target else f" at {self.address}"
        encrypted = f", under {self.tls}" if self.tls else ""
        return f"Connected to {self.target}{at} in {format_delay(self.seconds)}{encrypted}."

    @property
    def explanation(self) -> str:
        return "What passes follows: > goes to the target, < to the client; the time is that since the last bytes."


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFailed(ConnectionEvent):
    """The proxy can't connect to the target for a client, and breaks the client's connection off."""

    level: ClassVar[Level] = Level.WARNING

    target: str
    error: str

    @property
    def happened(self) -> str:
        return f"No connection to the target for this client. {self.error}"

    @property
    def explanation(self) -> str:
        if self.is_local:
            return f"The client's connection is closed: nobody is behind it. {NO_RESETS}"
        return "The client gets a reset: its connection exists, and nobody is behind it."


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPassed(ConnectionEvent):
    """Bytes passed, ``to_target`` or ``to_client``. While traffic is busy, the event is a sum over `seconds`.

    `gap_s` is the time since the connection's last bytes. `seen` has what the proxy recognised; in a sum, the first
    things that are no mere data. `seen_bytes` is the memory that `seen` takes. With ``--hex``, `offset` says where the
    bytes begin in their direction, and `hex` has them all where events are JSON.
    """

    direction: str
    bytes: int
    gap_s: float | None = None
    reads: int | None = None
    seconds: float | None = None
    seen: Sequence[dict[str, Any]] | None = None
    hex: _Bytes | None = None
    offset: int | None = None
    seen_bytes: int = field(default=0, repr=False)
    sentences: Sequence[str] = field(default=(), repr=False)
    below: _Bytes | bytearray = field(default=b"", repr=False)

    @property
    def held_bytes(self) -> int:
        shown = sum(map(len, self.sentences)) + len(self.below)
        return HELD_BYTES + shown + len(self.hex or b"") + self.seen_bytes

    @property
    def is_summed(self) -> bool:
        return self.offset is None

    @property
    def happened(self) -> str:
        mark, said = _MARKS[self.direction], f": {' '.join(self.sentences)}" if self.sentences else "."
        if self.seconds is not None:
            calls = format_count(self.reads or 0, "read")
            return f"{mark} {format_bytes(self.bytes)} in {calls} within {format_seconds(self.seconds)}{said}"
        gap = "" if self.gap_s is None else f" after {_format_gap(self.gap_s)}"
        return f"{mark} {format_count(self.bytes, 'byte')}{gap}{said}"

    @property
    def explanation(self) -> str:
        return "" if self.seconds is None else "So much passes that the proxy tells a sum."

    @property
    def dump(self) -> _Bytes | bytearray:
        return self.below


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetBroken(ConnectionEvent):
    """The target has broken its connection off, or TLS with it has failed."""

    level: ClassVar[Level] = Level.WARNING

    error: str

    @property
    def happened(self) -> str:
        return f"The target broke the connection off: {self.error}."

    @property
    def explanation(self) -> str:
        if self.is_local:
            return f"The proxy passes that on, and closes the client's connection. {NO_RESETS}"
        return "The proxy passes that on: the client gets a reset."


@dataclass(frozen=True, slots=True, kw_only=True)
class SideEnded(ConnectionEvent):
    """A side has ended what it sends, and the proxy has passed the end on. `direction` is the one that has ended.

    `cut` is True where TLS says that bytes may be missing. `seen` has what the proxy recognised by the end, such as a
    body without a length. Such an event is shown without ``-v``, too. `seen_bytes` is the memory that `seen` takes.
    """

    level: ClassVar[Level] = Level.DETAIL

    direction: str
    cut: bool | None = None
    seen: Sequence[dict[str, Any]] | None = None
    seen_bytes: int = field(default=0, repr=False)
    sentences: Sequence[str] = field(default=(), repr=False)
    below: _Bytes | bytearray = field(default=b"", repr=False)

    @property
    def own_level(self) -> Level:
        return Level.INFO if self.seen else self.level

    @property
    def held_bytes(self) -> int:
        return HELD_BYTES + sum(map(len, self.sentences)) + len(self.below) + self.seen_bytes

    @property
    def happened(self) -> str:
        cut = ", and TLS says that bytes may be missing" if self.cut else ""
        return " ".join(
            [f"{_MARKS[self.direction]} The {_SENDERS[self.direction]} sends no more{cut}.", *self.sentences]
        )

    @property
    def explanation(self) -> str:
        return f"The proxy shut its sending side towards the {_GETTERS[self.direction]}."

    @property
    def dump(self) -> bytes | bytearray:
        return self.below


@dataclass(frozen=True, slots=True, kw_only=True)
class BadNetwork(Event):
    """The proxy starts as a bad network, on purpose: --delay, --rate or --drop-after is given."""

    level: ClassVar[Level] = Level.WARNING

    delay_s: float | None = None
    bytes_per_s: int | None = None
    drop_after: int | None = None

    @property
    def happened(self) -> str:
        does = []
        if self.delay_s is not None:
            does.append(f"holds all bytes back for {format_delay(self.delay_s)} (--delay)")
        if self.bytes_per_s is not None:
            does.append(f"lets {format_bytes(self.bytes_per_s)} a second pass each way (--rate)")
        if self.drop_after is not None:
            does.append(f"breaks each connection off after {format_count(self.drop_after, 'byte')} (--drop-after)")
        return f"This is a bad network on purpose: the proxy {', and '.join(does)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesHeld(ConnectionEvent):
    """The proxy has begun to hold bytes of this connection back, on purpose."""

    direction: str

    @property
    def happened(self) -> str:
        return f"{_MARKS[self.direction]} Bytes are held back on purpose (--delay, --rate)."

    @property
    def explanation(self) -> str:
        return f"From here on they reach the {_GETTERS[self.direction]} later than they came; none is lost."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionDropped(ConnectionEvent):
    """The proxy breaks a connection off on purpose, since as many bytes have passed as --drop-after allows."""

    level: ClassVar[Level] = Level.WARNING

    bytes: int

    @property
    def happened(self) -> str:
        return f"Broken off on purpose after {format_count(self.bytes, 'byte')} (--drop-after)."

    @property
    def explanation(self) -> str:
        return f"Both connections are closed. {NO_RESETS}" if self.is_local else "Both sides get a reset."


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpStarted(ConnectionEvent):
    """All bytes of a connection are kept in two files, one for each direction."""

    to_target: str
    to_client: str

    @property
    def happened(self) -> str:
        return f"All bytes are kept in {self.to_target} and {self.to_client}."


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFailed(ConnectionEvent):
    """The proxy can't write the bytes of a direction to their file any more. They pass on without it."""

    level: ClassVar[Level] = Level.ERROR

    file: str
    error: str
    kept_bytes: int

    @property
    def happened(self) -> str:
        kept = (
            f"It has the first {format_count(self.kept_bytes, 'byte')}."
            if self.kept_bytes
            else "It has none of the bytes."
        )
        return f"{self.file} can't be written: {self.error}. {kept}"

    @property
    def explanation(self) -> str:
        return "The connection goes on, and further bytes of this direction are not kept."
