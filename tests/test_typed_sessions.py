"""What the pages show of people at a terminal (blocks marked ``text``): typed again on a terminal, and compared.

Times, numbers and fingerprints may differ, and ``…`` stands for anything, as in `tests.support.documents`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.support.accounts import PASSWORD
from tests.support.documents import PageRunner, Step, find_difference

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "sockctl" / "help").glob("*.md"))]
_BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {
    f"{page.stem} {number}": block.splitlines()
    for page in PAGES
    for number, block in enumerate(_BLOCK.findall(page.read_text()), 1)
}
NOT_TYPED = {
    "accounts 3": "an engine on another machine; tests/cli/test_account_stores.py imports and serves so",
    "chat 1": "three people on three terminals, one of whom has typed half a line; "
    "tests/cli/test_chat_client.py plays such chats",
    "chat 2": "lines of a log; tests/client/test_room_log.py writes such logs",
    "watch 1": "a picture that changes, of two clients; tests/cli/test_watch.py looks at such pictures",
    "servers 1": "a screen of the editor, and two clients; tests/cli/test_serve_talk.py plays such talks",
}
"""The blocks that aren't typed again, and why."""


@dataclass(frozen=True)
class Play:
    """How a block is played.

    Attributes:
        before: Commands that run first, such as the server's.
        typed: What the person waits for, and types then; ``$`` stands in front of a command of somebody else.
    """

    typed: Sequence[tuple[str, str]]
    before: Sequence[str] = ()


ADD_ANN = f"(umask 077; echo '{PASSWORD}' > password.txt); sockctl users add ann --password-file password.txt"
PLAYS = {
    "accounts 1": Play([("ann:", "password1234"), ("ann:", PASSWORD), ("Again:", PASSWORD)]),
    "accounts 2": Play(
        [("name:", "ann"), ("Password:", PASSWORD), ("what you can do here.\r\n", "whoami"), ("UTC.\r\n", "exit")],
        before=[ADD_ANN, "sockctl serve auth --port 9090"],
    ),
    "connect 1": Play(
        [("ends the connection.\r\n", "hello"), ("receive buffer.\r\nhello\r\n", "exit")],
        before=["sockctl serve echo --port 9090"],
    ),
    "tls 1": Play([("no]:", "yes"), ("name", "\x03")], before=["sockctl serve identify --tls --port 9191"]),
}


def play(terminal: Any, runner: PageRunner, block: list[str], script: Play) -> list[str]:
    """Play a block, and return the lines that the terminal has shown."""
    for command in script.before:
        runner.run(Step(command))
    line = block[0].removeprefix("$ ")
    child = terminal(command=["bash", "-c", f"exec {line}"], **{**runner.environment, "TERM": "dumb", "NO_COLOR": "1"})
    shown = ""
    for until, typed in script.typed:
        child.expect(until)
        shown += child.before + child.after
        if typed.startswith("$"):
            runner.run(Step(typed[1:]))
        elif typed == "\x03":
            child.send(typed)
        else:
            child.sendline(typed)
    child.expect(pexpect.EOF)
    return [line.rstrip() for line in (shown + child.before).splitlines()]


@pytest.mark.parametrize("name", PLAYS)
@pytest.mark.usefixtures("near")
def test_a_typed_session_is_what_the_page_shows(terminal: Any, name: str, tmp_path: Path) -> None:
    """On a host of its own, so that the ports of the page are free."""
    runner = PageRunner(tmp_path)
    block = BLOCKS[name]
    try:
        shown = play(terminal, runner, block, PLAYS[name])
    finally:
        runner.stop()
    difference = find_difference(Step(block[0].removeprefix("$ "), block[1:]), shown)
    assert not difference, difference


def test_every_block_is_played_or_has_a_reason() -> None:
    assert BLOCKS.keys() == PLAYS.keys() | NOT_TYPED.keys()
