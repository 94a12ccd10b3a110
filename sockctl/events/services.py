"""The events of single services."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIdentified(ConnectionEvent):
    """The identification server knows who the client is."""

    who: str
    known: bool

    @property
    def text(self) -> str:
        if self.known:
            return f"The client is {self.who}: its IP address was known."
        return f"The client is {self.who}: it was asked for its name, which is now kept with its IP address."


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed(ConnectionEvent):
    """The service can't read or write its files."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def text(self) -> str:
        return f"What the service keeps can't be read or written: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStarted(ConnectionEvent):
    """A program was started to answer a client."""

    pid: int

    @property
    def text(self) -> str:
        return f"Process {self.pid} was started to answer the client: what it says goes in, a line each."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWarned(ConnectionEvent):
    """The program that answers a client has written to its standard error."""

    level: ClassVar[Level] = Level.WARNING

    pid: int
    said: str

    @property
    def text(self) -> str:
        return f"Process {self.pid} wrote to its standard error: {self.said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEnded(ConnectionEvent):
    """The program that answers a client has ended, or could not be started (`pid` 0)."""

    pid: int
    how: str

    @property
    def text(self) -> str:
        return f"Process {self.pid} has ended: {self.how}." if self.pid else f"The program didn't start: {self.how}."
