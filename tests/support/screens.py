"""Screens of commands on a pseudo-terminal, and the golden files that hold them.

A test gives `check_screen` the screen and a name; ``python -m tests.golden`` makes all files anew.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pexpect

from sockctl.wrapping import measure_width
from tests.support.terminal import terminals

FOLDER = Path(__file__).parents[1] / "golden" / "screens"
REMAKE = "SOCKCTL_REMAKE_GOLDEN"
"""The environment variable that lets `check_screen` write the files in place of comparing them."""
WIDTHS = (40, 80, 200)

_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_DRAWN = re.compile(r"[─│╭╮╰╯█…├┤▶◀✗]+")
_PARTS = re.compile(r"[^:/,]+[:/,]*|[:/,]+")
"""Finds the parts of a long word: it may be cut between them."""


def take_screen(*arguments: str, columns: int, colour: bool, environment: Mapping[str, str] | None = None) -> str:
    """Return what a command writes on a terminal of that width, to its end."""
    colours = {"NO_COLOR": "" if colour else "1", "FORCE_COLOR": "", "CLICOLOR": "", "CLICOLOR_FORCE": ""}
    with terminals() as start:
        child = start(*arguments, columns=columns, **colours, **(environment or {}))
        child.expect(pexpect.EOF)
        return str(child.before).replace("\r\n", "\n")


def check_screen(name: str, screen: str) -> None:
    """Compare a screen with its golden file ``NAME.txt``.

    Raises:
        AssertionError: They differ.
    """
    file = FOLDER / f"{name}.txt"
    if os.environ.get(REMAKE):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(screen, encoding="utf-8")
        return
    known = file.read_text(encoding="utf-8") if file.exists() else ""
    assert screen == known, f"{file} is not what the screen is now: look at it, and run python -m tests.golden"


def find_cut_words(screen: str, wide: str, columns: int) -> list[str]:
    """Return what a narrow screen cuts: words that a wide one doesn't have, or that are lost, and lines too long.

    A word that is longer than the terminal may be cut between its parts, or make its line too long. A line to copy,
    which begins with four spaces, may be too long.

    Args:
        screen: The screen of a terminal with that many columns.
        wide: The same on a terminal that is wide enough.
        columns: Columns of the narrow one.
    """
    here, there = list_words(screen), list_words(wide)
    parts = [_PARTS.findall(word) for word in there if measure_width(word) > columns]
    pieces = {
        "".join(each[a:b]).rstrip(":") for each in parts for a in range(len(each)) for b in range(a + 1, len(each) + 1)
    }
    lost = {word for word in there - here if measure_width(word) <= columns}
    lines = [line.rstrip() for line in _COLOURS.sub("", screen).splitlines()]
    whole = [line for line in lines if not line.startswith("    ")]
    long = [line for line in whole if measure_width(line) > columns and len(list_words(line)) > 1]
    return sorted((here - there - pieces) | lost) + long


def list_words(screen: str) -> set[str]:
    """Return the words of a screen, without colours, what is drawn, and colons behind titles."""
    return {word.rstrip(":") for word in _COLOURS.sub("", screen).split() if not _DRAWN.fullmatch(word)}
