"""What members of a chat have lived through: what each has sent, heard and been told, in order."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a member has sent.

    Attributes:
        n: Its number.
        lines: Its lines, each unlike any other line of anybody.
        connection: The connection that took it: the first one is 1.
        at_s: When, on the monotonic clock.
    """

    n: int
    lines: tuple[str, ...]
    connection: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Written:
    """A private message that a member has sent.

    Attributes:
        n: Its number.
        text: Its text, unlike any other.
        to: The member to whom it was written.
        connection: As in `Sent`.
        at_s: When, on the monotonic clock.
    """

    n: int
    text: str
    to: str
    connection: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Arrived:
    """A node has let the member in.

    Attributes:
        connection: As in `Sent`.
        at_s: When, on the monotonic clock.
    """

    connection: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Came:
    """A member has come into a room, for the first time or again.

    Attributes:
        room: The room.
        names: Who is there.
        called: What they are called.
    """

    room: str
    names: frozenset[str]
    called: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Heard:
    """A line that a member has heard.

    Attributes:
        room: Where.
        id: The id of the line.
        sender: The member who said it.
        line: The line.
        connection: As in `Sent`.
        at_s: When, on the monotonic clock.
        is_live: It was not the history that told it.
    """

    room: str
    id: int
    sender: str
    line: str
    connection: int
    at_s: float
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """A member was told that it hears no more of something.

    Attributes:
        code: ``lost``, where the chat has lost it; ``missed``, where it is only too much.
        room: The room; empty for all.
        at_s: When, on the monotonic clock.
    """

    code: str
    room: str = ""
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Moved:
    """Somebody has ``joined`` or ``left`` a room."""

    kind: str
    room: str
    name: str


@dataclass(frozen=True, slots=True)
class Went:
    """The member itself has left a room."""

    room: str


@dataclass(frozen=True, slots=True)
class Overheard:
    """A private message that came to a member: one to it, or its own.

    Attributes:
        text: The text.
        sender: The member who wrote it.
        connection: As in `Sent`.
        at_s: When, on the monotonic clock.
    """

    text: str
    sender: str
    connection: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Returned:
    """A private message of the member was sent to nobody."""

    text: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """A member has another name."""

    before: str
    name: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A room has a topic."""

    room: str
    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A message was refused: it was not said."""

    n: int
    code: str


Event = Came | Went | Arrived | Heard | Told | Moved | Refused | Overheard | Returned | Renamed | Topic


def find_person(name: str) -> str:
    """Return who has a name: m0 may call itself m0-1, and so on."""
    return name.partition("-")[0]


@dataclass
class Transcript:
    """What one member has lived through; only its own thread changes it.

    Attributes:
        name: The member.
        sent: What it has sent.
        events: What has come, in order.
        arrivals: How often it was let in.
        ends: Why its connections ended, in order.
        written: The private messages that it has sent.
        name_now: What it is called in the end.
    """

    name: str
    sent: list[Sent] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    arrivals: int = 0
    ends: list[str] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    name_now: str = ""

    def copy(self) -> "Transcript":
        """Return it as it is now."""
        lists = [*self.sent], [*self.events], self.arrivals, [*self.ends], [*self.written]
        return Transcript(self.name, *lists, self.name_now)

    @property
    def heard(self) -> list[Heard]:
        """The lines that it has heard."""
        return [one for one in self.events if isinstance(one, Heard)]

    @property
    def overheard(self) -> list[Overheard]:
        """The private messages that have come to it."""
        return [one for one in self.events if isinstance(one, Overheard)]

    @property
    def told(self) -> list[Told]:
        """What it was told that it hears no more of."""
        return [one for one in self.events if isinstance(one, Told)]

    @property
    def refused(self) -> dict[int, str]:
        """The codes of refused messages, by number."""
        return {one.n: one.code for one in self.events if isinstance(one, Refused)}


def save_transcripts(path: Path, transcripts: Iterable[Transcript]) -> None:
    """Save what members have lived through: an event a line, as JSON, for a person to read."""
    with path.open("w", encoding="utf-8") as file:
        for transcript in transcripts:
            for one in (*transcript.sent, *transcript.written, *transcript.events):
                fields = {"member": transcript.name, "event": type(one).__name__, **dataclasses.asdict(one)}
                file.write(f"{json.dumps(fields, default=_encode_set)}\n")


def _encode_set(names: frozenset[str]) -> Any:
    return sorted(names)
