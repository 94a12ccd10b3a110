"""The colours of the output, by meaning."""

import enum

END = "\x1b[0m"


class Style(enum.StrEnum):
    """ANSI sequences that begin a style, of the 16 colours that each user can set for the terminal."""

    FAINT = "\x1b[2m"
    """For text that a reader may skip: times, explanations."""
    NORMAL = "\x1b[36m"
    """For usual events."""
    WARNING = "\x1b[33m"
    """For something refused or lost, or about to fail."""
    ERROR = "\x1b[31m"
    """For failures."""


def paint(text: str, style: Style) -> str:
    """Return `text` in a style."""
    return f"{style}{text}{END}"
