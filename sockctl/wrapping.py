"""Text wrapped at words to the width of a terminal."""

import re
from collections.abc import Iterator, Sequence
from unicodedata import category, east_asian_width

_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")
_BREAKABLE = re.compile(r"[^:/,]+[:/,]*|[:/,]+")
"""Finds the parts of a long word: of a fingerprint, a path, a URL."""


def display_width(text: str) -> int:
    """Return how many columns `text` takes on a terminal; its colours take none."""
    if "\x1b" in text:
        text = _CONTROL_SEQUENCE.sub("", text)
    if text.isascii():
        return len(text)
    marks = sum(category(character) in {"Mn", "Me", "Cf"} for character in text)
    return len(text) - marks + sum(east_asian_width(character) in {"W", "F"} for character in text)


def wrap_words(words: Sequence[str], *, first: int, rest: int) -> Iterator[list[str]]:
    """Yield the words of each line; cut a word that is wider than a whole line behind ``:``, ``/`` or ``,``.

    Args:
        words: The words.
        first: Columns of the first line.
        rest: Columns of each other line.
    """
    line: list[str] = []
    left = first
    for word in words:
        for part in [word] if display_width(word) <= rest else _parts(word, rest):
            width = display_width(part) + bool(line)
            if line and width > left:
                yield line
                line, left, width = [], rest, width - 1
            line.append(part)
            left -= width
    yield line


def wrap_lines(text: str, columns: int) -> str:
    """Return `text` with its lines wrapped to `columns`; each continuation has the indent of its line."""
    return "\n".join(_wrap_line(line, columns) for line in text.split("\n"))


def _wrap_line(line: str, columns: int) -> str:
    if display_width(line) <= columns:
        return line
    words = line.split()
    indent = line[: len(line) - len(line.lstrip())]
    width = max(1, columns - len(indent))
    return "\n".join(indent + " ".join(part) for part in wrap_words(words, first=width, rest=width))


def _parts(word: str, width: int) -> Iterator[str]:
    part = ""
    for piece in _BREAKABLE.findall(word):
        if part and display_width(part + piece) > width:
            yield part
            part = ""
        part += piece
    yield part
