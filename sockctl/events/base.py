"""What every event has: a stable name, a level, fields, and a sentence that explains it."""

import dataclasses
import enum
import re
from typing import Any, ClassVar, NamedTuple

HELD_BYTES = 512
"""What an event takes at most that holds no text of any length: measured, with its record."""


class Level(enum.IntEnum):
    """How much an event matters; a journal leaves out what lies below its own level."""

    DETAIL = 10
    """Told with ``-v``: what the core does between the lines."""
    INFO = 20
    """Told by default: every step of a connection."""
    WARNING = 30
    """Told even with ``--quiet``: something was refused, lost or about to fail."""
    ERROR = 40
    """Told even with ``--quiet``: something failed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Subclasses set `level`, add fields, and say in `text` what happened and what the system did. Fields hold what JSON
    can carry: text, numbers, and dicts of them.

    Attributes:
        name: The stable name that programs rely on, made of the class's own: `ClientConnected` is `client_connected`.
    """

    name: ClassVar[str] = "event"
    level: ClassVar[Level] = Level.INFO

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__.lstrip("_")).lower()

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that the event takes while it waits to be written; events with long texts say more."""
        return HELD_BYTES

    @property
    def text(self) -> str:
        """One sentence for a person. It may hold text of a stranger: a sink makes it safe."""
        raise NotImplementedError

    @property
    def fields(self) -> dict[str, Any]:
        """The event's own values by name, without those that are None."""
        pairs = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: value for name, value in pairs if value is not None}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent(Event):
    """Something that happened on one connection.

    Attributes:
        connection: The connection's number, counted from 1 since the server's start.
        peer: The client's address and port, as ``127.0.0.1:50000`` or ``[::1]:50000``.
    """

    connection: int
    peer: str


class Record(NamedTuple):
    """An event with the time at which it was emitted (seconds since the epoch) and the service that emitted it."""

    time: float
    service: str
    event: Event
