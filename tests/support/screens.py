"""Screens of commands on a pseudo-terminal, and the golden files that hold them.

A test gives `check_screen` the screen and a name; ``python -m tests.golden`` makes all files anew.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pexpect

from tests.support.terminal import terminals

FOLDER = Path(__file__).parents[1] / "golden" / "screens"
REMAKE = "SOCKCTL_REMAKE_GOLDEN"
"""The environment variable that lets `check_screen` write the files in place of comparing them."""
WIDTHS = (40, 80, 200)


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
