"""What happens when a client's connection is lost and made again."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost(Event):
    """The connection was lost without a goodbye, and is made again after a pause."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    seconds: float

    @property
    def text(self) -> str:
        return f"The connection was lost ({self.error}): trying again in {self.seconds:.1f} s; Ctrl-C ends it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnecting(Event):
    """A lost connection could not be made again yet. The event is emitted once for each reason."""

    level: ClassVar[Level] = Level.WARNING

    error: str
    longest_s: float

    @property
    def text(self) -> str:
        return f"{self.error} It is tried again, with pauses of up to {self.longest_s:g} s, until Ctrl-C or 'exit'."
