"""The events of a client that connects again after its connection was lost."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level

SOON_S = 0.05
"""A shorter pause is none to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Event):
    """The connection was lost without a goodbye, and the client connects again after a pause."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    seconds: float
    server: str = ""
    next: str = ""

    @property
    def happened(self) -> str:
        lost = f"The connection to {self.server}" if self.server else "The connection"
        when = "at once" if self.seconds < SOON_S else f"in {self.seconds:.1f} s"
        return f"{lost} was lost ({self.error}): trying {self.next or 'again'} {when}."

    @property
    def explanation(self) -> str:
        return "Ctrl-D ends the client."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnecting(Event):
    """The client could not connect again yet. The event is emitted once for each reason."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    longest_s: float

    @property
    def happened(self) -> str:
        return self.error

    @property
    def explanation(self) -> str:
        return f"The client tries again, with pauses of up to {self.longest_s:g} s, until Ctrl-D."


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFailed(Event):
    """One of several servers did not let the client in, and the client tries the next one."""

    level: ClassVar[Level] = Level.WARNING

    server: str
    error: str
    next: str

    @property
    def happened(self) -> str:
        return f"{self.error} Trying {self.next}."


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChanged(Event):
    """Another one of several servers has let the client in again."""

    level: ClassVar[Level] = Level.WARNING

    server: str
    before: str

    @property
    def happened(self) -> str:
        return f"The client is at {self.server} now; before, it was at {self.before}."
