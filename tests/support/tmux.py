"""A shell in a terminal emulator, tmux: it wraps rows anew when resized, and marks pastes."""

import contextlib
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.support.processes import SOCKCTL
from tests.support.running import TIMEOUT_S
from tests.support.tools import tool

SHELL_PROMPT = "sh% "
STATUS = " #"
"""How the client's status line begins."""


class Tmux:
    """A shell in a terminal of its own.

    Args:
        folder: Where tmux has its socket.
        columns: The terminal's width.
        rows: Its height.
        environment: Variables of the shell.
        kept: Rows that are kept of those that were scrolled away.
    """

    def __init__(
        self, folder: Path, columns: int, rows: int, environment: dict[str, str], *, kept: int = 2_000
    ) -> None:
        self._command = [tool("tmux", "tmux"), "-u", "-f", os.devnull, "-S", str(folder / "tmux")]
        variables = [
            f"{name}={value}" for name, value in {"PS1": SHELL_PROMPT, "TERM": "screen", **environment}.items()
        ]
        shell = shlex.join(["env", "-u", "PROMPT_TOOLKIT_NO_CPR", *variables, "bash", "--norc", "--noprofile"])
        self._run(
            "start-server",
            ";",
            "set-option",
            "-g",
            "history-limit",
            str(kept),
            ";",
            "new-session",
            "-d",
            "-x",
            str(columns),
            "-y",
            str(rows),
            shell,
        )
        self.expect(SHELL_PROMPT.strip())

    def start(self, *arguments: str, command: Sequence[str] = SOCKCTL) -> None:
        """Type a command of the client, and let the shell tell its exit code."""
        self.type(f"clear; {shlex.join([*command, *arguments])}; echo code=$?")
        self.press("Enter")

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def paste(self, text: str, *, bracketed: bool) -> None:
        """Paste a text, with brackets only where the program has asked for them."""
        subprocess.run([*self._command, "load-buffer", "-"], input=text.encode(), check=True, timeout=TIMEOUT_S)
        self._run("paste-buffer", *(["-p"] if bracketed else []))

    def resize(self, columns: int, rows: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> list[str]:
        """Return the rows, without the empty ones at the end."""
        return self._run("capture-pane", "-p").rstrip("\n").split("\n")

    def whole_text(self) -> str:
        """Return all that has been on the screen and wasn't erased, without line ends."""
        return "".join(self.last_rows())

    def last_rows(self, scrolled_away: int | None = None) -> list[str]:
        """Return the rows of the screen, behind so many that were scrolled away; None for all that are kept."""
        start = "-" if scrolled_away is None else str(-scrolled_away)
        return self._run("capture-pane", "-p", "-J", "-S", start).split("\n")

    def expect(self, *texts: str) -> list[str]:
        """Wait until all texts stand on the screen, and it stays so for a moment; return it."""
        return self._until(lambda rows: all(text in "\n".join(rows) for text in texts), str(texts))

    def expect_last(self, *rows: str) -> list[str]:
        """Wait until these are the last rows above the status line, and it stays so for a moment; return the screen."""

        def is_there(shown: list[str]) -> bool:
            above = [row.rstrip() for row in shown if not row.startswith(STATUS)]
            while above and not above[-1]:
                above.pop()
            return above[-len(rows) :] == [*rows]

        return self._until(is_there, str(rows))

    def expect_once(self, *texts: str) -> None:
        """Wait until each text stands once in `whole_text`; for a moment it may be erased."""

        def is_once(_: list[str]) -> bool:
            text = self.whole_text()
            return all(text.count(one) == 1 for one in texts)

        self._until(is_once, f"{texts} once")

    def _until(self, condition: Callable[[list[str]], bool], what: str) -> list[str]:
        deadline = time.monotonic() + TIMEOUT_S
        before: list[str] = []
        while not condition(rows := self.screen()) or rows != before:
            assert time.monotonic() < deadline, "\n".join([f"{what} did not come:", *rows])
            before = rows
            time.sleep(0.1)
        return rows

    def close(self) -> None:
        self._run("kill-server", check=False)

    def _run(self, *arguments: str, check: bool = True) -> str:
        run = subprocess.run([*self._command, *arguments], capture_output=True, check=check, timeout=TIMEOUT_S)
        return run.stdout.decode()


@contextlib.contextmanager
def tmux(folder: Path, *, columns: int = 80, rows: int = 24, **environment: str) -> Iterator[Tmux]:
    """Yield a shell in a terminal."""
    one = Tmux(folder, columns, rows, environment)
    try:
        yield one
    finally:
        one.close()
