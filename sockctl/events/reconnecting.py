"""The events of a client that connects again after its connection was lost."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Event):
    """The connection was lost without a goodbye, and the client connects again after a pause."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    seconds: float

    @property
    def happened(self) -> str:
        return f"The connection was lost ({self.error}): trying again in {self.seconds:.1f} s."

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
