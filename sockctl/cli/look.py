"""How a result looks, by where it is printed."""

from dataclasses import dataclass
from typing import Self

from sockctl.palette import Style, paint
from sockctl.terminal import STDOUT, is_terminal, measure_columns, wants_colour
from sockctl.wrapping import wrap_lines


@dataclass(frozen=True, slots=True)
class Look:
    """The properties of the output that decide how a result looks.

    Attributes:
        width: Columns of the terminal; None in a pipe, where no line folds.
        colour: Whether the result is coloured.
    """

    width: int | None = None
    colour: bool = False

    @classmethod
    def of_output(cls) -> Self:
        """Return the look of standard output."""
        return cls(measure_columns(STDOUT) if is_terminal(STDOUT) else None, wants_colour(STDOUT))

    def fits(self, *lines: str) -> bool:
        """Return whether each line fits the width."""
        return self.width is None or max(map(len, lines)) <= self.width

    def fold(self, line: str) -> str:
        """Return a line folded between its words."""
        return line if self.width is None else wrap_lines(line, self.width)

    def paint(self, text: str, style: Style) -> str:
        """Return text in a style."""
        return paint(text, style) if self.colour and text else text
