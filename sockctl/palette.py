"""The colours of the output, by meaning."""

import enum

END = "\x1b[0m"


class Style(enum.StrEnum):
    """ANSI sequences that begin a style. They are of the 16 colours, which every terminal shows as its user likes."""

    FAINT = "\x1b[2m"
    """What one may skip: times, explanations."""
    NORMAL = "\x1b[36m"
    """What happens all the time."""
    WARNING = "\x1b[33m"
    """What was refused, lost, or is about to fail."""
    ERROR = "\x1b[31m"
    """What failed."""


def paint(text: str, style: Style) -> str:
    """Return `text` in a style."""
    return f"{style}{text}{END}"
