"""What was typed comes back the next time, in real terminals."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.terminal import ended
from tests.support.token_server import PASSWORD, TokenServer, token_server

pytestmark = pytest.mark.usefixtures("state")

UP = "\x1b[A"


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as one:
        yield one


def typed(state: Path) -> list[str]:
    return [json.loads(line) for path in (state / "typed").glob("*.jsonl") for line in path.read_text().splitlines()]


def log_in(terminal: Any, server: TokenServer, *options: str) -> Any:
    child = terminal("connect", *options, server.target, NO_COLOR="1")
    if child.expect([r"Your name\?", r"\* Hello, ann!"]) == 0:
        child.sendline("ann")
        child.expect(r"Your password\?")
        child.sendline(PASSWORD)
        child.expect(r"\* Hello, ann!")
    return child


def leave(child: Any) -> None:
    child.sendline("exit")
    assert ended(child) == 0
    assert "Traceback" not in child.before


def test_it_comes_back_the_next_time(terminal: Any, server: TokenServer, state: Path) -> None:
    child = log_in(terminal, server)
    child.sendline("first")
    child.expect("<ann> first")
    child.send("\x1b[200~one\ntwo\x1b[201~")
    child.expect("two")
    child.send("\r")
    child.expect(r"lines: send\?")
    child.sendline("y")
    child.expect("<ann> two")
    child.sendline(PASSWORD)
    child.expect(r"password you just typed")
    child.sendline("n")
    child.expect("Not sent")
    leave(child)
    assert typed(state) == ["first", "one\ntwo", "exit"], "no answer, and no secret"
    assert PASSWORD not in "".join(path.read_text() for path in (state / "typed").iterdir())
    again = log_in(terminal, server)
    again.send(UP * 4)  # one of them goes up in the block
    again.sendline(" again")
    again.expect("<ann> first again")
    leave(again)
    assert typed(state)[3:] == ["first again", "exit"]


@pytest.mark.parametrize("option", ["--no-typed-history", "--no-session"])
def test_nothing_is_kept_where_that_was_chosen(terminal: Any, server: TokenServer, state: Path, option: str) -> None:
    child = log_in(terminal, server, option)
    child.sendline("first")
    child.expect("<ann> first")
    leave(child)
    assert not (state / "typed").exists()


def test_a_file_that_cannot_be_written_is_told_once(terminal: Any, server: TokenServer, state: Path) -> None:
    state.mkdir()
    (state / "typed").write_text("no folder")
    child = terminal("connect", "--user", "ann", server.target, NO_COLOR="1")
    child.logfile_read = shown = io.StringIO()
    child.expect(r"Your password\?")
    child.sendline(PASSWORD)
    for line in ("first", "second"):
        child.sendline(line)
        child.expect(f"<ann> {line}")
    leave(child)
    assert shown.getvalue().count("What you type isn't kept for the next time: ") == 1
