"""The events of accepting: the server refuses clients, or pauses because the system has no descriptors left."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.events.reasons import RefusalReason
from sockctl.text import format_count, format_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRefused(Event):
    """The server refused a client, and closed its socket at once."""

    level: ClassVar[Level] = Level.WARNING

    peer: str
    reason: RefusalReason

    @property
    def happened(self) -> str:
        return f"{self.peer} was refused: {self.reason.explanation}."

    @property
    def explanation(self) -> str:
        return "The server closed its socket at once."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsRefused(Event):
    """The server refused more clients in a second than it reports one by one."""

    level: ClassVar[Level] = Level.WARNING

    count: int
    seconds: float
    reasons: dict[RefusalReason, int]

    @property
    def happened(self) -> str:
        parts = (f"{format_count(count, 'time')} because {why.explanation}" for why, count in self.reasons.items())
        clients = format_count(self.count, "more client was", "more clients were")
        return f"{clients} refused in {format_seconds(self.seconds)}: {'; '.join(parts)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptPaused(Event):
    """The system has no descriptor or memory for another connection at this time."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    clients: int
    retry_s: float

    @property
    def happened(self) -> str:
        return f"The server can't accept further clients for now: {self.error}."

    @property
    def explanation(self) -> str:
        return (
            f"It goes on serving {format_count(self.clients, 'connected client')}. New ones wait in the backlog. The "
            f"server calls accept() again every {self.retry_s:g} s."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptResumed(Event):
    """The server accepts clients again after a pause."""

    seconds: float

    @property
    def happened(self) -> str:
        return f"The server accepts clients again after a pause of {format_seconds(self.seconds)}."
