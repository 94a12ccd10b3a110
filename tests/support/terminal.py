"""A person at a terminal, played by a pseudo-terminal."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pexpect

from tests.support.processes import SOCKCTL, Spawn
from tests.support.running import TIMEOUT_S

_SIZES = {"COLUMNS", "LINES"}
"""Variables that go before a terminal's own size; a test worker may have them."""


@contextlib.contextmanager
def terminals() -> Iterator[Any]:
    """Yield a function that starts a command on a new terminal; all of them are closed at the end."""
    children: list[pexpect.spawn[str]] = []

    def start(
        *arguments: str, command: Sequence[str] = (), columns: int = 400, **environment: str
    ) -> "pexpect.spawn[str]":
        words = [*command, *SOCKCTL, *arguments]
        own = {name: value for name, value in os.environ.items() if name not in _SIZES}
        child = Spawn(
            words[0],
            words[1:],
            timeout=TIMEOUT_S,
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(50, columns),  # from its start on
            # pexpect doesn't answer where the cursor is, as a terminal does
            env={**own, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **environment},
        )
        child.delaybeforesend = None  # tests wait for what invites them to type
        children.append(child)
        return child

    try:
        yield start
    finally:
        for child in children:
            child.close(force=True)


def expect_all(child: "pexpect.spawn[str]", *patterns: str) -> None:
    """Wait until all patterns have come, in any order."""
    left = [*patterns]
    while left:
        left.pop(child.expect([*left]))


def ended(child: "pexpect.spawn[str]") -> int:
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus is not None
    return child.exitstatus
