"""Screens of commands on a pseudo-terminal, and the golden files that hold them.

A test gives `check_screen` the screen and a name; ``python -m tests.golden`` makes all files anew.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pexpect

from tests.support.running import SOCKCTL, TIMEOUT_S

FOLDER = Path(__file__).parents[1] / "golden" / "screens"
REMAKE = "SOCKCTL_REMAKE_GOLDEN"
"""The environment variable that lets `check_screen` write the files in place of comparing them."""
WIDTHS = (40, 80, 200)
_WAIT = ["sh", "-c", 'stty -echo; echo ready; read -r _; exec "$@"', "sh"]
"""Lets the command begin when the terminal has its size."""


def take_screen(*arguments: str, columns: int, colour: bool, environment: Mapping[str, str] | None = None) -> str:
    """Return what a command writes on a terminal of that width, to its end."""
    colours = {"NO_COLOR": "" if colour else "1", "FORCE_COLOR": "", "CLICOLOR": "", "CLICOLOR_FORCE": ""}
    words = [*_WAIT, *SOCKCTL, *arguments]
    child = pexpect.spawn(
        words[0],
        words[1:],
        timeout=TIMEOUT_S,
        encoding="utf-8",
        env={**os.environ, "TERM": "xterm", **colours, **(environment or {})},
    )
    try:
        child.expect("ready\r\n")
        child.setwinsize(50, columns)
        child.sendline()
        child.expect(pexpect.EOF)
        return str(child.before).replace("\r\n", "\n")
    finally:
        child.close(force=True)


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
