"""The question for the terminal's background: answered, answered late, and not answered."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sockctl.client.tty.background import Background
from sockctl.client.tty.stdin_reader import StdinReader
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


def ask(terminal: Any, server: ChatServer, **environment: str) -> Any:
    own = {"NO_COLOR": "", "COLORFGBG": "", "FORCE_COLOR": "1", **environment}
    child = terminal("connect", f"sockctl://{server.target}", **own)
    child.delaybeforesend = None
    child.expect_exact(QUESTION)
    return child


@pytest.mark.parametrize(
    ("reply", "variable", "style"),
    [(LIGHT, "", ON_LIGHT), (DARK, "0;15", ON_DARK), ("", "0;15", ON_LIGHT), ("", "15;0", ON_DARK), ("", "", UNKNOWN)],
    ids=["light", "dark", "COLORFGBG light", "COLORFGBG dark", "unknown"],
)
def test_colours_fit_the_background(terminal: Any, server: ChatServer, reply: str, variable: str, style: str) -> None:
    child = ask(terminal, server, COLORFGBG=variable)
    child.send(f"{reply}ann\r")
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


class Typed:
    """Keys of a terminal, and what the reader makes of them."""

    def __init__(self, background: Background) -> None:
        self._near, self._far = os.pipe()
        self.reader = StdinReader(self._near, encoding="utf-8", background=background)

    def read(self, typed: str = "") -> str:
        os.write(self._far, typed.encode())
        return self.reader.read()

    def close(self) -> None:
        os.close(self._near)
        os.close(self._far)


@pytest.fixture
def late() -> Iterator[Typed]:
    typed = Typed(Background(None, "be", reply_may_come=True))
    yield typed
    typed.close()


def test_what_was_typed_before_comes_first(late: Typed) -> None:
    assert late.reader.is_ahead
    assert late.read("fore") == "before"
    assert not late.reader.is_ahead


def test_one_late_answer_is_dropped_however_it_is_cut(late: Typed) -> None:
    assert late.read(f"x{LIGHT[:4]}") == "bex"
    assert late.read(LIGHT[4:10]) == ""
    assert late.read(f"{LIGHT[10:]}y") == "y"
    assert late.read(LIGHT) == LIGHT, "that is none of ours"


def test_what_only_looks_like_an_answer_is_typed(late: Typed) -> None:
    assert late.read("\x1b]") == "be"
    assert late.read("x") == "\x1b]x"


def test_no_answer_is_awaited_for_ever(monkeypatch: pytest.MonkeyPatch, late: Typed) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert late.read(LIGHT) == f"be{LIGHT}"
