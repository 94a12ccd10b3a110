"""What an attack has shown: figures beside their goals."""

import math
from dataclasses import dataclass

__all__ = ["Row", "heading", "line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    Attributes:
        attack: The attack's name.
        what: What was measured.
        figure: How much it was; infinite where it didn't end in time.
        unit: The figure's unit.
        goal: What the figure may be at most; None where it only informs.
        at_least: Whether the goal is a least instead.
        note: What else is worth knowing.
    """

    attack: str
    what: str
    figure: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def held(self) -> bool:
        """Whether the goal is held."""
        if self.goal is None:
            return True
        return self.figure >= self.goal if self.at_least else self.figure <= self.goal


def heading() -> str:
    """Return the table's first line."""
    return f"{'attack':<16}{'measured':<42}{'figure':>16}  {'goal':<14}held"


def line(row: Row) -> str:
    """Return a figure as a line of the table."""
    goal = "" if row.goal is None else f"{'>=' if row.at_least else '<='} {_number(row.goal)} {row.unit}"
    held = "" if row.goal is None else "yes" if row.held else "NO"
    note = f"  {row.note}" if row.note else ""
    return f"{row.attack:<16}{row.what:<42}{_number(row.figure) + ' ' + row.unit:>16}  {goal:<14}{held:<4}{note}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
