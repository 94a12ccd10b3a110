"""Text wrapped at words to the width of a terminal."""

import re
from collections.abc import Iterator, Sequence
from unicodedata import category, east_asian_width

_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")
_BREAKABLE = re.compile(r"[^:/,]+[:/,]*|[:/,]+")
"""Finds the parts of a long word: of a fingerprint, a path, a URL."""


def measure_width(text: str) -> int:
    """Return how many columns `text` takes on a terminal; its colours take none."""
    if "\x1b" in text:
        text = _CONTROL_SEQUENCE.sub("", text)
    if text.isascii():
        return len(text)
    marks = sum(category(character) in {"Mn", "Me", "Cf"} for character in text)
    return len(text) - marks + sum(east_asian_width(character) in {"W", "F"} for character in text)


def wrap_words(words: Sequence[str], *, first: int, rest: int, cuts: bool = True) -> Iterator[list[str]]:
    """Yield the words of each line; cut a word that is wider than a whole line behind ``:``, ``/`` or ``,``.

    Args:
        words: The words.
        first: Columns of the first line.
        rest: Columns of each other line.
        cuts: Whether such a word is cut at all.
    """
    line: list[str] = []
    left = first
    for word in words:
        for part in [word] if not cuts or measure_width(word) <= rest else _split_word(word, rest):
            width = measure_width(part) + bool(line)
            if line and width > left:
                yield line
                line, left, width = [], rest, width - 1
            line.append(part)
            left -= width
    yield line


def find_least_width(word: str, least: int) -> int:
    """Return how many columns a word needs if it may be cut as `wrap_words` does, with `least` columns a line."""
    width = measure_width(word)
    return width if width <= least else max(least, *map(measure_width, _BREAKABLE.findall(word)))


def wrap_lines(text: str, columns: int, *, cuts: bool = True) -> str:
    """Return `text` with its lines wrapped to `columns`; each continuation has the indent of its line.

    Args:
        text: The text.
        columns: Columns of the terminal.
        cuts: Whether a word that is wider than a line is cut as by `wrap_words`; else it stays whole, for the terminal.
    """
    return "\n".join(_wrap_line(line, columns, cuts=cuts) for line in text.split("\n"))


def _wrap_line(line: str, columns: int, *, cuts: bool) -> str:
    if measure_width(line) <= columns:
        return line
    words = line.split()
    indent = line[: len(line) - len(line.lstrip())]
    width = max(1, columns - len(indent))
    return "\n".join(indent + " ".join(part) for part in wrap_words(words, first=width, rest=width, cuts=cuts))


def _split_word(word: str, width: int) -> Iterator[str]:
    part = ""
    for piece in _BREAKABLE.findall(word):
        if part and measure_width(part + piece) > width:
            yield part
            part = ""
        part += piece
    yield part
