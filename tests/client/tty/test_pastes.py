"""A member of a chat in a real terminal emulator: pastes, leaving, resizing, suspending."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_server import ChatServer, chat_server
from tests.support.tmux import SHELL_PROMPT, Tmux, tmux

PASTE = "def f():\n    exit\n    return 1\n/etc/hosts\n/quit\n"
LONG = "the quick brown fox jumps over the lazy dog and then some more words that make the line wrap over several rows"
PROMPT = SHELL_PROMPT.strip()
LINE = "[#lobby] ann> "


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as one:
        yield one


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Tmux]:
    with tmux(tmp_path, SOCKCTL_STATE_DIR=str(tmp_path / "state"), NO_COLOR="1") as one:
        yield one


def join(screen: Tmux, server: ChatServer) -> None:
    screen.start("connect", "--quiet", server.target)
    screen.expect("Your name?")
    screen.type("ann")
    screen.press("Enter")
    screen.expect("In #lobby")


def sent(server: ChatServer, kind: str = "block") -> list[Any]:
    return [one for one in server.heard[-1] if one["kind"] == kind]


def rows_with(screen: Tmux, text: str) -> int:
    return sum(text in row for row in screen.screen())


@pytest.mark.parametrize("bracketed", [True, False], ids=["brackets", "burst"])
def test_a_paste_is_asked_about_and_stands_once(screen: Tmux, server: ChatServer, bracketed: bool) -> None:
    server.can = ["blocks"]
    join(screen, server)
    screen.paste(PASTE, bracketed=bracketed)
    screen.expect_last(f"{LINE}def f():", "    exit", "    return 1", "/etc/hosts", "/quit")
    screen.press("Enter")
    screen.expect_last("5 lines: send? [y/N]")
    assert rows_with(screen, "def f()") == 0
    assert (server.said(), sent(server)) == ([], [])
    screen.type("y")
    screen.press("Enter")
    screen.expect("<ann> def f():")
    assert [one["lines"] for one in sent(server)] == [PASTE.split("\n")[:-1]]
    assert rows_with(screen, "def f()") == 1
    screen.press("Up")
    screen.expect_last(f"{LINE}def f():", "    exit", "    return 1", "/etc/hosts", "/quit")
    screen.press("C-c", "C-d")
    screen.expect("code=0")
    assert rows_with(screen, PROMPT) == 1, "nothing has landed in the shell"


def test_a_paste_that_is_not_confirmed_stands_in_the_editor_again(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.paste("one\ntwo", bracketed=True)
    screen.press("Enter")
    screen.expect_last("2 lines: send? [y/N]")
    screen.press("Enter")
    screen.expect_last("2 lines: send? [y/N]", f"{LINE}one", "two")
    screen.type(" three")
    screen.press("Escape", "Enter")
    screen.type("four")
    screen.expect_last(f"{LINE}one", "two three", "four")
    screen.press("Enter")
    screen.expect_last("3 lines: send? [y/N]")
    screen.type("y")
    screen.press("Enter")
    screen.expect("<ann> four")
    assert server.said() == ["one", "two three", "four"], "the server knows no blocks"


@pytest.mark.parametrize("bracketed", [True, False], ids=["brackets", "burst"])
def test_the_rest_of_a_paste_does_not_land_in_the_shell(screen: Tmux, server: ChatServer, bracketed: bool) -> None:
    join(screen, server)
    screen.type("half")
    screen.expect_last(f"{LINE}half")
    text = "".join(f"touch /nowhere/{number}\n" for number in range(2_000))
    screen.paste(text, bracketed=bracketed)
    server.send("bye", "Goodbye!", reason="server_stopping")
    server.close()
    screen.expect("code=0")
    screen.type("echo it is $((6 * 7))")
    screen.press("Enter")
    screen.expect("it is 42")
    rows = screen.screen()
    after = rows[next(at for at, row in enumerate(rows) if "code=0" in row) :]
    assert not any("nowhere" in row for row in after), rows


def test_a_line_that_grows_too_long_is_not_pasted(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type("half")
    screen.paste("x" * 70_000, bracketed=True)
    screen.expect("Not pasted: 70,000 characters. The line has 65,536 at most.")
    screen.expect_last(f"{LINE}half")


def test_ctrl_c_clears_the_line_and_leaves_at_the_second_press(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type("secret plans")
    screen.press("C-c")
    screen.expect_last(LINE.strip())
    screen.press("C-c")
    screen.expect_last("Ctrl-C again, or Ctrl-D, leaves.", LINE.strip())
    screen.type("x")
    screen.press("BSpace", "C-c")
    screen.expect_last("Ctrl-C again, or Ctrl-D, leaves.", "Ctrl-C again, or Ctrl-D, leaves.", LINE.strip())
    screen.press("C-c")
    screen.expect("code=130")
    assert server.said() == []
    assert rows_with(screen, "secret plans") == 0


def test_resizing_leaves_no_ghost(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    for number in range(30):  # so that no empty rows are below: tmux scrolls rows away to keep those
        server.say("bob", f"line {number}")
    screen.expect("line 29")
    screen.type(LONG)
    for columns, rows in ((40, 24), (100, 24), (30, 15), (33, 12), (20, 12), (80, 24)):
        screen.resize(columns, rows)
        line = LINE + LONG
        expected = [line[start : start + columns].rstrip() for start in range(0, len(line), columns)]
        screen.expect_last(*expected)
        text = screen.whole_text()
        assert text.count("> the quick brown") == 1, (columns, rows, text)
        assert text.count("In #lobby: ann, bob, carol") == 1, "what stood above is still there"
    screen.resize(80, 24)
    screen.paste(PASTE, bracketed=True)
    screen.resize(30, 24)
    screen.expect_last("    exit", "    return 1", "/etc/hosts", "/quit")
    assert screen.whole_text().count("> the quick brown") == 1


def test_a_half_typed_line_after_a_suspension(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type("half")
    screen.expect_last(f"{LINE}half")
    screen.press("C-z")
    screen.expect("Stopped")
    screen.type("stty -a | grep -cw -- -icanon")
    screen.press("Enter")
    screen.expect(f"{PROMPT} stty", "\n0")
    screen.type("fg")
    screen.press("Enter")
    screen.expect_last(f"{LINE}half")
    screen.type(" a line")
    screen.press("Enter")
    screen.expect("<ann> half a line")
    assert server.said() == ["half a line"]


@pytest.mark.parametrize("how", ["Ctrl-D", "exit", "closed"])
def test_the_shell_gets_a_clean_screen(screen: Tmux, server: ChatServer, how: str) -> None:
    join(screen, server)
    if how == "Ctrl-D":
        screen.press("C-d")
    elif how == "exit":
        screen.type("exit")
        screen.press("Enter")
        screen.expect_last("Leave the chat? [y/N]")
        screen.type("y")
        screen.press("Enter")
    else:
        server.send("bye", "Goodbye!", reason="server_stopping")
        server.close()
    rows = screen.expect("code=0")
    assert rows[-2:] == ["code=0", PROMPT]
    assert not any(row.startswith(LINE.strip()) for row in rows), rows
