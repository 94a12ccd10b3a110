"""The events of single services."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Level
from sockctl.text import format_bytes, format_count, format_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIdentified(ConnectionEvent):
    """The service knows who the client is."""

    who: str
    known: bool

    @property
    def happened(self) -> str:
        return f"The client is {self.who}."

    @property
    def explanation(self) -> str:
        if self.known:
            return "The server knew its IP address."
        return "The server asked for the name, and keeps it with the IP address."


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed(ConnectionEvent):
    """The service can't read or write what it keeps: its files, or an engine."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def happened(self) -> str:
        return f"The service can't read or write what it keeps: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStarted(ConnectionEvent):
    """The server started a program for a client.

    Attributes:
        pid: Its process, which leads a process group.
        wire: What it gets of the client: `lines`, one for each message, `bytes`, or those of a `terminal`.
    """

    pid: int
    wire: str = "lines"

    @property
    def happened(self) -> str:
        return f"Process {self.pid} answers the client."

    @property
    def explanation(self) -> str:
        if self.wire == "lines":
            return "The program gets what the client says, a line each."
        through = "a terminal" if self.wire == "terminal" else "two pipes"
        return f"The client's bytes are its standard input, and its standard output goes to the client, by {through}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWarned(ConnectionEvent):
    """The program of a client has written to its standard error."""

    level: ClassVar[Level] = Level.WARNING

    pid: int
    said: str

    @property
    def happened(self) -> str:
        return f"Process {self.pid} wrote to its standard error: {self.said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWarningsSummed(ConnectionEvent):
    """The program of a client has written more lines to its standard error than are emitted one by one."""

    level: ClassVar[Level] = Level.WARNING

    pid: int
    lines: int
    seconds: float

    @property
    def happened(self) -> str:
        lines = format_count(self.lines, "more line")
        return f"Process {self.pid} wrote {lines} to its standard error within {format_seconds(self.seconds)}."

    @property
    def explanation(self) -> str:
        return "They were too many to be written one by one."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramsBusy(ConnectionEvent):
    """The server started no program for a client: as many as --max-programs allows run already."""

    level: ClassVar[Level] = Level.WARNING

    max_programs: int

    @property
    def happened(self) -> str:
        return f"No program answers the client: all {self.max_programs:,} that may run at once do (--max-programs)."

    @property
    def explanation(self) -> str:
        return "The client is told so, and the server ends the connection."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEnded(ConnectionEvent):
    """The program of a client has ended, or could not be started (`pid` 0).

    Attributes:
        pid: Its process.
        how: How it ended.
        bytes_in: Bytes that it has got of the client; None where it got lines.
        bytes_out: Bytes that it has written for the client; None where it wrote lines.
        seconds: How long it ran; None as above.
    """

    pid: int
    how: str
    bytes_in: int | None = None
    bytes_out: int | None = None
    seconds: float | None = None

    @property
    def happened(self) -> str:
        if not self.pid:
            return f"The program didn't start: {self.how}."
        ended = f"Process {self.pid} has ended: {self.how}"
        if self.seconds is None:
            return f"{ended}."
        moved = f"it read {format_bytes(self.bytes_in or 0)} and wrote {format_bytes(self.bytes_out or 0)}"
        return f"{ended}, after {format_seconds(self.seconds)}; {moved}."
