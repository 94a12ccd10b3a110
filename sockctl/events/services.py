"""The events of single services."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Level


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
    """The server started a program that answers a client."""

    pid: int

    @property
    def happened(self) -> str:
        return f"Process {self.pid} answers the client."

    @property
    def explanation(self) -> str:
        return "The program gets what the client says, a line each."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWarned(ConnectionEvent):
    """The program that answers a client has written to its standard error."""

    level: ClassVar[Level] = Level.WARNING

    pid: int
    said: str

    @property
    def happened(self) -> str:
        return f"Process {self.pid} wrote to its standard error: {self.said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEnded(ConnectionEvent):
    """The program that answers a client has ended, or could not be started (`pid` 0)."""

    pid: int
    how: str

    @property
    def happened(self) -> str:
        return f"Process {self.pid} has ended: {self.how}." if self.pid else f"The program didn't start: {self.how}."
