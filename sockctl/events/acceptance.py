"""The events of accepting: clients that are turned away, and pauses where the system runs dry."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.events.reasons import RefusalReason
from sockctl.text import format_seconds, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRefused(Event):
    """A client was turned away; its socket was closed at once."""

    level: ClassVar[Level] = Level.WARNING

    peer: str
    reason: RefusalReason

    @property
    def text(self) -> str:
        return f"{self.peer} was refused and its socket closed at once: {self.reason.explanation}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsRefused(Event):
    """Several clients were turned away, more than are told one by one."""

    level: ClassVar[Level] = Level.WARNING

    count: int
    seconds: float
    reasons: dict[RefusalReason, int]

    @property
    def text(self) -> str:
        parts = (f"{plural(count, 'time')} because {why.explanation}" for why, count in self.reasons.items())
        return (
            f"{plural(self.count, 'more client')} were refused in {format_seconds(self.seconds)}: {'; '.join(parts)}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptPaused(Event):
    """The system has no descriptor or memory for another connection right now."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    clients: int
    retry_s: float

    @property
    def text(self) -> str:
        return (
            f"No further client can be accepted for now ({self.error}). The {self.clients:,} that are connected are "
            f"served on; new ones wait in the backlog, and accept() is tried again every {self.retry_s:g} s."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptResumed(Event):
    """Clients are accepted again after a pause."""

    seconds: float

    @property
    def text(self) -> str:
        return f"Clients are accepted again after a pause of {format_seconds(self.seconds)}."
