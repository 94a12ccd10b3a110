"""A person at a terminal, played by a pseudo-terminal."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pexpect

from tests.support.processes import SOCKCTL, Spawn
from tests.support.running import TIMEOUT_S


@contextlib.contextmanager
def terminals() -> Iterator[Any]:
    """Yield a function that starts a command on a new terminal; all of them are closed at the end."""
    children: list[pexpect.spawn[str]] = []

    def start(*arguments: str, command: Sequence[str] = (), **environment: str) -> "pexpect.spawn[str]":
        words = [*command, *SOCKCTL, *arguments]
        child = Spawn(
            words[0],
            words[1:],
            timeout=TIMEOUT_S,
            encoding="utf-8",
            codec_errors="replace",
            # pexpect doesn't answer where the cursor is, as a terminal does
            env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environment},
        )
        child.setwinsize(50, 400)
        children.append(child)
        return child

    try:
        yield start
    finally:
        for child in children:
            child.close(force=True)


def ended(child: "pexpect.spawn[str]") -> int:
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus is not None
    return child.exitstatus
