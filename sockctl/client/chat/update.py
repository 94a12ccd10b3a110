"""A change of the screen, as the window on a chat wants it."""

from typing import NamedTuple

FRAME_ROWS = 2
"""Rows of a screen that prompt and status line take."""
_CLEAR, _BELL = "\x1b[H\x1b[2J\x1b[999;1H", "\a"
"""Clear the screen, and go to its last row. Ring the bell."""


class Update(NamedTuple):
    """A change of the screen.

    Attributes:
        rows: Rows to print above the prompt.
        clears: Whether the screen is cleared first.
        rings: Whether the bell rings.
    """

    rows: list[str]
    clears: bool = False
    rings: bool = False

    def render(self) -> str:
        """Return what is written to the terminal.

        On a cleared screen the rows stand at the bottom. At the top, a terminal that becomes narrower would scroll the
        line being typed away, since the longer rows need more place, and no client can erase it there.
        """
        text = "".join([f"{row}\n" for row in self.rows])
        clear = f"{_CLEAR}\x1b[{len(self.rows) + FRAME_ROWS - 1}A" if self.clears else ""
        return f"{clear}{_BELL if self.rings else ''}{text}"
