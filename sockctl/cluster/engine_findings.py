"""What a check of an engine finds, as data."""

import enum
from dataclasses import dataclass

from sockctl.events.cluster import announce_line


class Level(enum.StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """The chat can't run on the engine."""
    WARNING = "warning"
    """The chat runs, and may lose messages."""
    UNKNOWN = "unknown"
    """The check could not see the setting."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about an engine that isn't right.

    Attributes:
        level: How much it matters.
        setting: The setting, a stable word.
        text: The problem, as a sentence.
        fix: The line that mends it, or shows it.
        mends: Whether the line mends it.
    """

    level: Level
    setting: str
    text: str
    fix: str
    mends: bool = True

    @property
    def remedy(self) -> str:
        """The line, announced as what it is."""
        return announce_line(self.fix, mends=self.mends)

    @property
    def as_fields(self) -> dict[str, str]:
        """The finding, as JSON has it."""
        return {"level": self.level.value, "setting": self.setting, "text": self.text, "fix": self.fix}


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check.

    Attributes:
        engine: The engine and its version, such as ``Redis 7.0.15``; empty where the engine doesn't tell.
        findings: What isn't right, errors first.
    """

    engine: str
    findings: list[Finding]

    @property
    def is_usable(self) -> bool:
        """Whether the chat can run on the engine."""
        return not self.count(Level.ERROR)

    def count(self, level: Level) -> int:
        """Return how many findings are of a level."""
        return sum(one.level is level for one in self.findings)
