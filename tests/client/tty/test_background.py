"""The question for the terminal's background: answered, answered late, and not answered."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chat_server import ChatServer, chat_server

QUESTION = "\x1b]11;?\x1b\\"
LIGHT, DARK = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\", "\x1b]11;rgb:0000/0000/0000\x07"
ON_LIGHT, ON_DARK, UNKNOWN = r"\x1b\[38;5;241m", r"\x1b\[38;5;245m", r"\x1b\[2m"
"""How times begin there."""


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("SOCKCTL_STATE_DIR", str(tmp_path / "state"))
    with chat_server() as one:
        yield one


def ask(terminal: Any, server: ChatServer, *, reply: str = "", **environment: str) -> Any:
    """Start a client and wait for its question; a reply waits for it already, since the answer has little time."""
    own = {"NO_COLOR": "", "COLORFGBG": "", "FORCE_COLOR": "1", **environment}
    child = terminal("connect", f"sockctl://{server.target}", **own)
    child.send(reply)
    child.expect_exact(QUESTION)
    return child


@pytest.mark.parametrize(
    ("reply", "variable", "style"),
    [(LIGHT, "", ON_LIGHT), (DARK, "0;15", ON_DARK), ("", "0;15", ON_LIGHT), ("", "15;0", ON_DARK), ("", "", UNKNOWN)],
    ids=["light", "dark", "COLORFGBG light", "COLORFGBG dark", "unknown"],
)
def test_colours_fit_the_background(terminal: Any, server: ChatServer, reply: str, variable: str, style: str) -> None:
    child = ask(terminal, server, reply=reply, COLORFGBG=variable)
    child.send("ann\r")
    child.expect(style + r"\d\d:\d\d\x1b\[0m .*Welcome, ann!")
    server.say("bob", "hello")
    child.expect(style + r"\d\d:\d\d\x1b\[0m <\x1b\[38;5;\d+mbob")


def test_what_is_typed_meanwhile_stays(terminal: Any, server: ChatServer) -> None:
    child = ask(terminal, server)
    child.send(f"an{LIGHT}n\r")
    child.expect("Welcome, ann!")


def test_a_letter_of_two_bytes_that_comes_in_parts(terminal: Any, server: ChatServer) -> None:
    child = ask(terminal, server)
    os.write(child.child_fd, b"Jos\xc3")
    time.sleep(0.03)  # so that the client reads it by itself
    os.write(child.child_fd, f"\xa9{LIGHT}\r".encode("latin-1"))
    child.expect("Welcome, José!")


def test_a_late_answer_is_no_input(terminal: Any, server: ChatServer) -> None:
    child = ask(terminal, server)
    child.expect(r"Your name\?")
    child.send("a")
    child.expect("a")
    child.send(f"n{LIGHT}n\r")
    child.expect("Welcome, ann!")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1", "FORCE_COLOR": ""}, {"TERM": "linux"}], ids=str)
def test_nothing_is_asked_without_colours_or_of_a_console(
    terminal: Any, server: ChatServer, environment: dict[str, str]
) -> None:
    child = terminal("connect", f"sockctl://{server.target}", **{"NO_COLOR": "", **environment})
    child.expect(r"Your name\?")
    assert QUESTION not in child.before
