"""What every event has: a stable name, a level, fields, what happened, and the explanation."""

import dataclasses
import enum
import re
from typing import Any, ClassVar, NamedTuple

HELD_BYTES = 512
"""What an event without long texts takes at most, with its record: measured."""


class Level(enum.IntEnum):
    """How much an event matters; a journal leaves out events below its own level."""

    DETAIL = 10
    """Shown with ``-v``: half-closes and flow control."""
    INFO = 20
    """Shown by default: every step of a connection."""
    WARNING = 30
    """Shown even with ``--quiet``: something was refused, lost or about to fail."""
    ERROR = 40
    """Shown even with ``--quiet``: something failed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    A subclass sets `level`, adds fields, and gives `happened`, mostly with an `explanation`. Fields hold what JSON can
    carry: text, numbers, and dicts of them; or bytes, which JSON has in hex digits. A field without a repr is none of
    JSON's.

    Attributes:
        name: The stable name that programs rely on, made of the class's own: `ClientConnected` is `client_connected`.
        level: How much events of this kind matter.
        explained: How many times a terminal explains events of this kind, unless the user wants it otherwise.
    """

    name: ClassVar[str] = "event"
    level: ClassVar[Level] = Level.INFO
    explained: ClassVar[int] = 3

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__.lstrip("_")).lower()

    @property
    def own_level(self) -> Level:
        """How much this very event matters: as all of its kind do, unless it says otherwise."""
        return self.level

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that the event takes while it waits to be written; events with long texts say more."""
        return HELD_BYTES

    @property
    def happened(self) -> str:
        """What happened, as a short sentence. It may hold text of a stranger: a sink makes it safe."""
        raise NotImplementedError

    @property
    def explanation(self) -> str:
        """What the system did, or what follows, as sentences; empty where nothing is to be explained."""
        return ""

    @property
    def dump(self) -> bytes | bytearray:
        """Further lines that a person reads below the event, such as a hex dump, each with its end.

        They are UTF-8, and made safe for a terminal already. Text formats show them, JSON doesn't.
        """
        return b""

    @property
    def text(self) -> str:
        """What happened, with the explanation behind it."""
        explanation = self.explanation
        return f"{self.happened} {explanation}" if explanation else self.happened

    @property
    def shown_once(self) -> str | None:
        """A key: of the events that share it, a terminal shows the first one only. None for an event of its own."""
        return None

    @property
    def fields(self) -> dict[str, Any]:
        """The values of the fields by name, without those that are None."""
        pairs = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self) if field.repr)
        return {name: value.hex() if isinstance(value, bytes) else value for name, value in pairs if value is not None}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent(Event):
    """Something that happened on one connection.

    Attributes:
        connection: The connection's number, counted from 1 since the server's start.
        peer: The client's address and port, as ``127.0.0.1:50000`` or ``[::1]:50000``; at a Unix socket its user and
            process, as ``uid 1000 (ann), pid 42``.
    """

    connection: int
    peer: str

    @property
    def is_summed(self) -> bool:
        """Whether the event becomes part of a sum where too many of its kind come from one address."""
        return True

    @property
    def is_local(self) -> bool:
        """Whether the client came to a Unix socket, which knows no TCP."""
        return self.peer.startswith("uid ")


class Record(NamedTuple):
    """An event with the time at which it was emitted (seconds since the epoch) and the service that emitted it."""

    time: float
    service: str
    event: Event
