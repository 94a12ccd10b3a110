"""A member of a chat in a real terminal emulator: pastes, leaving, resizing, suspending."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.client.protocol import TYPING_EVERY_S
from sockctl.client.token_store import Login, TokenStore
from tests.support.chat_server import ChatServer, chat_server
from tests.support.frames import framed
from tests.support.played_server import greet, read_frame
from tests.support.played_server import server as played
from tests.support.running import TIMEOUT_S, receive_all, wait_until
from tests.support.tmux import SHELL_PROMPT, STATUS, Tmux, tmux

PASTE = "def f():\n    exit\n    return 1\n/etc/hosts\n/quit\n"
LONG = "the quick brown fox jumps over the lazy dog and then some more words that make the line wrap over several rows"
LATER = "2099-01-31T12:00:00Z"
PROMPT = SHELL_PROMPT.strip()
LINE = "[#lobby] ann> "
PATIENT = [sys.executable, "-m", "tests.support.patient_client"]


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
    screen.expect(f"code=0\n{PROMPT}")
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


def test_the_rest_of_a_paste_at_a_raw_server_does_not_land_in_the_shell(screen: Tmux) -> None:
    with played(reading) as target:
        screen.start("connect", f"tcp://{target}")
        screen.expect("Type lines")
        screen.paste("one\nbye\n" + "".join(f"touch /nowhere/{number}\n" for number in range(50)), bracketed=True)
        screen.expect("\ncode=")
        screen.type("echo it is $((6 * 7))")
        screen.press("Enter")
        screen.expect("it is 42")
        rows = screen.screen()
        assert not any("cannot touch" in row for row in rows), rows


def test_exit_in_a_paste_at_a_raw_server_is_text(screen: Tmux) -> None:
    received: list[bytes] = []

    def play(sock: socket.socket) -> None:
        received.append(receive_all(sock))

    with played(play) as target:
        screen.start("connect", f"tcp://{target}")
        screen.expect("Type lines")
        screen.paste("one\n    exit\ntwo\n", bracketed=True)
        screen.expect("Sent")
        time.sleep(0.5)  # as a person waits
        screen.type("exit")
        screen.press("Enter")
        screen.expect("\ncode=0")
    assert received == [b"one\n    exit\ntwo\n"]


def test_a_quit_in_a_paste_without_the_editor_is_text(screen: Tmux, server: ChatServer) -> None:
    screen.start("connect", "--quiet", "--plain", server.target)
    screen.expect("Your name?")
    screen.type("ann")
    screen.press("Enter")
    screen.expect("In #lobby")
    screen.paste("one\n/quit\n exit\ntwo\n", bracketed=False)
    wait_until(lambda: len(server.said()) == 4)
    assert server.said() == ["one", "//quit", " exit", "two"]


def reading(sock: socket.socket) -> None:
    """Read lines until one says bye, or the end."""
    with sock.makefile("rb") as lines:
        while (line := lines.readline()) and line != b"bye\n":
            pass


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


def fill(screen: Tmux, server: ChatServer, last: str) -> None:
    """Fill the screen, so that no empty rows are below: tmux scrolls rows away to keep those."""
    for number in range(30):
        server.say("bob", f"line {number}")
    server.say("bob", last)
    screen.expect(f"<bob> {last}")


def test_resizing_leaves_no_ghost(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    fill(screen, server, "first")
    screen.type(LONG)
    for columns, rows in ((40, 24), (100, 24), (30, 15), (33, 15), (20, 24), (80, 24)):
        screen.resize(columns, rows)
        line = LINE + LONG
        expected = [line[start : start + columns].rstrip() for start in range(0, len(line), columns)]
        screen.expect_last(*expected)
        screen.expect_once("> the quick brown", "In #lobby: ann, bob, carol")


def test_resizing_a_cleared_screen_leaves_no_ghost(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type("/clear")
    screen.press("Enter")
    wait_until(lambda: rows_with(screen, "Welcome") == 0)
    screen.type(LONG)
    for columns in (45, 33, 90, 20, 120, 80):
        screen.resize(columns, 24)
        line = LINE + LONG
        screen.expect_last(*(line[start : start + columns].rstrip() for start in range(0, len(line), columns)))
        screen.expect_once("> the quick brown")


def test_a_window_that_is_dragged_leaves_no_ghost(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type(LONG)
    screen.expect("several rows")
    for columns in [*range(80, 25, -1), *range(25, 110, 2), *range(110, 60, -1)]:
        screen.resize(columns, 24 - columns % 3)
    line = LINE + LONG
    screen.expect_last(line[:61].rstrip(), line[61:122], line[122:])
    screen.expect_once("> the quick brown", "In #lobby: ann, bob, carol")


def test_the_prompt_stands_at_the_bottom(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    last = ["In #lobby: ann, bob, carol", LINE.strip(), STATUS]

    def is_there() -> bool:
        rows = screen.screen()[21:]
        return len(rows) == len(last) and all(text in row for text, row in zip(last, rows, strict=True))

    wait_until(is_there)
    screen.type("\n".join("abcdefgh"))
    screen.expect_last(LINE + "a", *"bcdefgh")
    screen.press("C-c")
    screen.expect_last(LINE.strip())  # else the client may show first what comes next
    server.send("system", "Hello.")
    screen.expect("Hello.")
    last[0] = "Hello."
    wait_until(is_there)


@pytest.mark.parametrize("paste", [PASTE.rstrip(), PASTE], ids=["row", "empty row"])
def test_resizing_a_paste_leaves_no_ghost(screen: Tmux, server: ChatServer, paste: str) -> None:
    join(screen, server)
    for number in range(30):
        server.say("bob", f"line {number}")
    screen.expect("line 29")
    screen.type(LONG)
    screen.expect("several rows")
    screen.paste(paste, bracketed=True)
    screen.expect_last("    exit", "    return 1", "/etc/hosts", "/quit")
    screen.resize(30, 24)
    screen.expect_last("    exit", "    return 1", "/etc/hosts", "/quit")
    screen.expect_once("> the quick brown")


def test_resizing_leaves_no_ghost_of_a_block(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    fill(screen, server, "first")
    screen.paste(PASTE, bracketed=True)
    block = [f"{LINE}def f():", "    exit", "    return 1", "/etc/hosts", "/quit"]
    screen.expect_last(*block)
    for columns, rows in ((30, 24), (80, 24), (25, 15), (60, 24)):
        screen.resize(columns, rows)
        screen.expect_last(*block)
        screen.expect_once("> def f():", "return 1", "/quit")


def test_resizing_leaves_no_ghost_of_a_row_that_was_longer(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    fill(screen, server, "first")
    screen.type("one")
    screen.press("Escape", "Enter")
    screen.type("a row of the block as wide as the terminal is, or nearly so")
    screen.press("C-w", "C-w", "C-w", "C-w", "C-w", "C-w", "C-w", "C-w", "C-w", "C-w", "C-w")
    screen.press("Escape", "Enter")
    screen.type("three")
    block = [f"{LINE}one", "a row of", "three"]
    screen.expect_last(*block)
    for columns in (30, 20, 80):
        screen.resize(columns, 24)
        screen.expect_last(*block)
        screen.expect_once("ann> one", "a row of", "three")


def test_ctrl_l_clears_the_screen_and_keeps_the_line_at_the_bottom(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    fill(screen, server, "first")
    screen.type("one")
    screen.press("Escape", "Enter")
    screen.type("half")
    screen.press("C-l")
    rows = screen.expect_last(f"{LINE}one", "half")
    assert not any("line 29" in row or "<bob>" in row for row in rows), rows
    assert (len(rows), rows[-1].startswith(STATUS)) == (24, True), rows
    screen.resize(50, 24)
    screen.expect_last(f"{LINE}one", "half")
    server.say("bob", "second")
    screen.expect("<bob> second")
    screen.press("C-c", "C-d")
    screen.expect("code=0")


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
    rows = screen.expect(f"code=0\n{PROMPT}")
    assert rows[-2:] == ["code=0", PROMPT]
    assert not any(row.startswith(LINE.strip()) for row in rows), rows


def test_a_half_typed_line_stays_below_the_last_words(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type("half")
    screen.expect_last(f"{LINE}half")
    for number in range(5):
        server.say("bob", f"line {number}")
    server.send("bye", "Goodbye!", reason="server_stopping")
    server.close()
    rows = screen.expect("code=0")
    assert rows[-3:] == [f"{LINE}half", "code=0", PROMPT]
    assert rows[-4].endswith("* Goodbye!")


# What comes back, and what is asked about.


def test_a_refused_text_comes_back_where_nothing_is_being_typed(screen: Tmux, server: ChatServer) -> None:
    server.can = ["blocks"]
    server.muted = True
    join(screen, server)
    screen.type("hello")
    screen.press("Enter")
    screen.expect("! You are muted.")
    screen.expect_last(f"{LINE}hello")
    screen.press("C-c")
    server.muted = False
    screen.type("once more")
    screen.press("Enter")
    screen.expect("<ann> once more")
    assert server.said() == ["hello", "once more"]


def test_a_refused_text_stands_above_what_is_being_typed(screen: Tmux, server: ChatServer) -> None:
    server.can = ["blocks"]
    join(screen, server)
    screen.type("hello")
    screen.press("Enter")
    screen.expect("<ann> hello")
    screen.type("half")
    screen.expect_last(f"{LINE}half")
    server.send("error", "Too late.", code="too_late", n=1)
    screen.expect("! Too late.", "sockctl: Not sent: hello")
    screen.expect_last(f"{LINE}half")


def test_what_was_on_its_way_leaves_the_editor_when_it_has_arrived(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    members, server.members = server.members, []
    say, server.say = server.say, lambda *_, **__: server.close()  # type: ignore[method-assign]
    server.decide.clear()
    screen.type("into the void")
    screen.press("Enter")
    screen.expect("This may not have arrived: into the void")
    screen.expect_last(f"{LINE}into the void")
    server.say, server.members = say, members  # type: ignore[method-assign]
    server.say("ann", "into the void")
    server.decide.set()
    screen.expect("<ann> into the void")
    screen.expect_last(LINE.strip())
    assert server.said() == []


def test_a_line_is_seen_while_the_client_comes_back(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    server.stop()
    screen.expect("away")
    screen.type("half")
    server.decide.clear()
    server.start()
    wait_until(lambda: len(server.heard) > 1 and bool(sent(server, "resume")))
    screen.type(" a line")
    screen.expect_last(f"{LINE}half a line")
    server.decide.set()
    wait_until(lambda: server.receptions > 1)
    server.say("bob", "back")
    screen.expect("<bob> back")
    screen.expect_last(f"{LINE}half a line")


def test_what_waits_is_sent_once(screen: Tmux, server: ChatServer) -> None:
    server.can = ["blocks"]
    join(screen, server)
    server.stop()
    screen.expect("away, coming back")
    screen.type("too early")
    screen.press("Enter")
    screen.expect("waiting: too early")
    screen.paste(PASTE, bracketed=True)
    screen.press("Enter")
    screen.expect_last("5 lines: send? [y/N]")
    screen.type("y")
    screen.press("Enter")
    screen.expect("waiting: def f(): (and 4 more lines)")
    screen.type("half")
    server.start()
    screen.expect("<ann> too early", "<ann> def f():")
    screen.expect_last(f"{LINE}half")
    assert server.said() == ["too early"]
    assert [one["lines"] for one in sent(server)] == [PASTE.split("\n")[:-1]]
    assert rows_with(screen, "<ann> too early") == 1


def test_a_name_as_the_first_line_after_a_kept_login(screen: Tmux, tmp_path: Path) -> None:
    with played(kept_login) as target:
        login = Login.at("127.0.0.1", int(target.rpartition(":")[2]), "test")
        TokenStore(tmp_path / "state").keep(login, token="tok", expires=LATER, user="ann")
        screen.start("connect", "--quiet", target)
        screen.expect("Hello, ann.")
        screen.type("ann")
        screen.press("Enter")
        screen.expect_last("ann is a user's name: say it? [y/N]")
        screen.press("C-c")
        screen.expect_last("> ann")
        screen.press("C-c", "C-d")
        screen.expect("code=0")


def kept_login(sock: socket.socket) -> None:
    """Let in by a token."""
    greet(sock)
    assert read_frame(sock)["kind"] == "resume"
    sock.sendall(framed(kind="token", text="", token="tok2", expires=LATER))
    sock.sendall(framed(kind="welcome", text="Hello, ann.", name="ann", user="ann"))
    receive_all(sock)


def secretive(sock: socket.socket) -> None:
    greet(sock)
    sock.sendall(framed(kind="ask", text="Password?", field="password", secret=True))
    assert read_frame(sock)["text"] == "swordfish"
    sock.sendall(framed(kind="welcome", text="In."))
    assert read_frame(sock) == {"kind": "line", "text": "hello"}
    receive_all(sock)


def test_the_password_that_was_just_typed(screen: Tmux) -> None:
    with played(secretive) as target:
        screen.start("connect", "--quiet", target)
        screen.expect("Password?")
        screen.type("swordfish")
        screen.press("Enter")
        screen.expect("In.")
        screen.type("hello")
        screen.press("Enter")
        screen.expect(" > hello\n>")
        screen.type("swordfish")
        screen.press("Enter")
        screen.expect_last("That is the password you just typed: say it? [y/N]")
        screen.press("Enter")
        screen.expect("sockctl: Not sent.")
        screen.press("Up")
        screen.expect_last("> hello")
        screen.press("C-c", "C-d")
        screen.expect("code=0")


@pytest.mark.parametrize(
    ("options", "end"),
    [(["--plain"], "Password?\n* Goodbye!\ncode=0"), ([], "* Goodbye!\nPassword?\ncode=0")],
    ids=["plain", "editor"],
)
def test_a_half_typed_password_does_not_land_in_the_shell(screen: Tmux, options: list[str], end: str) -> None:
    is_typed = threading.Event()

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="ask", text="Password?", field="password", secret=True))
        assert is_typed.wait(TIMEOUT_S)
        sock.sendall(framed(kind="bye", text="Goodbye!"))

    with played(play) as target:
        screen.start("connect", "--quiet", *options, target)
        screen.expect("Password?")
        screen.type("swordfish")
        is_typed.set()
        screen.expect(end)
        screen.type("echo it is $((6 * 7))")
        screen.press("Enter")
        screen.expect("it is 42")
    assert "swordfish" not in screen.whole_text()


def test_the_shell_gets_a_line_of_its_own_after_a_question(screen: Tmux) -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="ask", text="Your name?", field="name"))
        receive_all(sock)

    with played(play) as target:
        screen.start("connect", "--quiet", "--plain", target)
        screen.expect("Your name?")
        screen.press("C-d")
        screen.expect("Your name?\ncode=0")


def test_no_search_shows_a_password(screen: Tmux) -> None:
    with played(secretive) as target:
        screen.start("connect", "--quiet", target)
        screen.expect("Password?")
        screen.press("C-r")
        screen.type("swordfish")
        screen.press("Enter")
        screen.expect("In.")
        screen.type("hello")
        screen.press("Enter")
        screen.expect("> hello")
        screen.press("C-r")
        screen.type("hel")
        screen.expect("search)`hel': hello")
        assert "swordfish" not in screen.whole_text()
        screen.press("C-g", "C-c", "C-d")
        screen.expect("code=0")


def test_wide_characters_leave_the_last_row_in_sight(screen: Tmux, server: ChatServer) -> None:
    screen.resize(25, 24)
    join(screen, server)
    screen.type("中" * (5 + 12 * 4) + "xyz")
    screen.expect_last(LINE + "中" * 5, *["中" * 12] * 3, "中" * 12 + "x", "yz")
    screen.press("C-a")
    screen.type("中")
    screen.expect_last(LINE + "中" * 5, *["中" * 12] * 4, "中xyz")
    screen.resize(27, 6)
    screen.press("C-e")
    screen.type("!")
    screen.expect_last("中" * 13, "中" * 13, "中" * 9 + "xyz!")


def test_a_search_says_nothing_and_enter_or_ctrl_c_ends_it(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type("hello there")
    screen.press("Enter")
    screen.expect("<ann> hello there")
    screen.press("C-r")
    screen.type("hel")
    screen.expect_last("(reverse-i-search)`hel': hello there")
    screen.press("Enter")
    screen.expect_last(f"{LINE}hello there")
    assert server.said() == ["hello there"]
    screen.press("C-c")
    screen.type("new")
    screen.press("C-r")
    screen.type("hel")
    screen.expect_last("(reverse-i-search)`hel': hello there")
    screen.press("C-c")
    screen.expect_last(f"{LINE}new")
    screen.press("C-r", "C-d")
    screen.type("there")
    screen.expect_last("(reverse-i-search)`there': hello there")
    screen.press("C-c")
    screen.expect_last(f"{LINE}new")
    screen.press("Enter")
    screen.expect("<ann> new")
    assert server.said() == ["hello there", "new"]


def test_a_half_typed_line_is_no_answer_to_a_new_login(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type("half a line")
    screen.expect_last(f"{LINE}half a line")
    server.tokens.clear()
    server.close()
    screen.expect("Please log in again.")
    screen.expect_last("Your name?")
    screen.type("ann")
    screen.press("Enter")
    screen.expect_last(f"{LINE}half a line")
    screen.press("Enter")
    screen.expect("<ann> half a line")
    assert server.said() == ["half a line"]


def test_a_question_ends_a_search(screen: Tmux) -> None:
    is_searching, answers = threading.Event(), list[str]()

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="welcome", text="In."))
        assert is_searching.wait(TIMEOUT_S)
        sock.sendall(framed(kind="ask", text="Password?", field="password", secret=True))
        answers.append(str(read_frame(sock)["text"]))
        receive_all(sock)

    with played(play) as target:
        screen.start("connect", "--quiet", target)
        screen.expect("In.")
        screen.press("C-r")
        screen.expect("reverse-i-search")
        is_searching.set()
        screen.expect_last("Password?")
        screen.type("swordfish")
        screen.press("Enter")
        screen.expect_last(">")
        screen.press("C-d")
        screen.expect("code=0")
    assert answers == ["swordfish"]
    assert "swordfish" not in screen.whole_text()


def test_typing_is_told_but_no_command(screen: Tmux, server: ChatServer) -> None:
    server.can = ["blocks", "typing"]
    join(screen, server)
    begun = time.monotonic()
    screen.type("/who is there")
    screen.press("C-c")
    screen.type("hello all")
    screen.expect_last(f"{LINE}hello all")
    wait_until(lambda: len(sent(server, "typing")) == 1)
    screen.press("C-u")
    screen.type("more")
    screen.expect_last(f"{LINE}more")
    assert len(sent(server, "typing")) == 1 or time.monotonic() > begun + TYPING_EVERY_S


@pytest.mark.parametrize("word", ["exit", "//exit"])
def test_exit_at_a_talking_server(screen: Tmux, word: str) -> None:
    with played(talking) as target:
        screen.start("connect", "--quiet", target)
        screen.expect("In.")
        screen.type(word)
        screen.press("Enter")
        if word == "//exit":
            screen.expect("You said exit.")
            screen.press("C-d")
        screen.expect("code=0")


def talking(sock: socket.socket) -> None:
    greet(sock)
    sock.sendall(framed(kind="welcome", text="In."))
    while (one := read_frame(sock))["kind"] == "line":
        sock.sendall(framed(kind="say", text=f"You said {one['text']}."))
    receive_all(sock)


def unhurried(sock: socket.socket) -> None:
    """Ask for the password long after the name."""
    greet(sock)
    sock.sendall(framed(kind="ask", text="Your name?", field="name"))
    assert read_frame(sock)["text"] == "ann"
    assert read_frame(sock)["text"] == "swordfish"
    sock.sendall(framed(kind="ask", text="Password?", field="password", secret=True))
    read_frame(sock)
    sock.sendall(framed(kind="welcome", text="In."))
    assert read_frame(sock)["text"] == "hello"
    receive_all(sock)


def test_what_was_typed_ahead_of_a_question_is_not_kept(screen: Tmux, tmp_path: Path) -> None:
    with played(unhurried) as target:
        screen.start("connect", "--quiet", target)
        screen.expect("Your name?")
        for text, answer in (("ann", "> "), ("swordfish", "Password?"), ("another", "In."), ("hello", " > hello")):
            screen.type(text)
            screen.press("Enter")
            screen.expect(answer.strip())
        screen.press("C-d")
        screen.expect("code=0")
    assert [path.read_text() for path in (tmp_path / "state" / "typed").glob("*.jsonl")] == ['"hello"\n']


def slow(asked: threading.Event, *, is_known: bool) -> Callable[[socket.socket], None]:
    """Ask when the event says so, and greet then; a service that is known to ask greets at once."""

    def play(sock: socket.socket) -> None:
        if is_known:
            sock.sendall(b"sockctl/1 auth\r\n")
            assert read_frame(sock)["kind"] == "hello"
        assert asked.wait(TIMEOUT_S)
        if not is_known:
            greet(sock)
        sock.sendall(framed(kind="ask", text="Your name?", field="name"))
        assert read_frame(sock)["text"] == "ann"
        assert read_frame(sock)["text"] == "swordfish"
        time.sleep(0.5)  # as over a slow line
        sock.sendall(framed(kind="ask", text="Password?", field="password", secret=True))
        assert read_frame(sock)["text"] == "another"
        sock.sendall(framed(kind="welcome", text="In."))
        receive_all(sock)

    return play


@pytest.mark.parametrize("is_known", [False, True])
def test_what_was_typed_ahead_of_a_question_is_not_seen(screen: Tmux, *, is_known: bool) -> None:
    asked = threading.Event()
    with played(slow(asked, is_known=is_known)) as target:
        screen.start(target, command=PATIENT)
        screen.expect("Type lines" if is_known else "connected")
        screen.type("ann\rswordfish\r")  # a busy machine reads at once what is typed line by line
        time.sleep(0.5)  # as over a slow line
        asked.set()
        screen.expect("Password?", *([] if is_known else ["Your name? ann"]))
        screen.type("another")
        screen.press("Enter")
        screen.expect("In.")
        screen.type("seen again")
        screen.expect_last("> seen again")
        text = screen.whole_text()
        assert ("swordfish" in text, "another" in text) == (False, False)
        screen.press("C-c", "C-d")
        screen.expect("code=0")
        screen.type("stty -a | grep -cw -- -echo")
        screen.press("Enter")
        screen.expect(f"{PROMPT} stty", "\n0")


def test_the_echo_is_back_when_nothing_answers(screen: Tmux) -> None:
    with played(reading) as target:
        screen.start(target, command=PATIENT)
        screen.expect("connected")
        screen.type("unseen")
        screen.press("C-c")
        screen.expect("code=130")
        assert "unseen" not in screen.whole_text()
        screen.type("cat")
        screen.press("Enter")
        screen.type("it is seen")
        screen.expect("it is seen")


def test_words_are_listed_above_the_line(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    screen.type("/msg ")
    screen.press("Tab")
    screen.expect_last("bob    carol", f"{LINE}/msg")
    screen.type("b")
    screen.press("Tab")
    screen.expect_last(f"{LINE}/msg bob")
    shown = screen.screen()
    assert sum(row.startswith(LINE) for row in shown) == 1
    assert sum(row.startswith(STATUS) for row in shown) == 1


def test_enter_on_an_empty_line_says_nothing(screen: Tmux, server: ChatServer) -> None:
    join(screen, server)
    hints: list[str] = []
    for text in ("", "  ", ""):
        screen.type(text)
        screen.press("Enter", "C-c")  # the hint shows that Enter was read: two lines at once would be a paste
        hints.append("Ctrl-C again, or Ctrl-D, leaves.")
        screen.expect_last(*hints, LINE.strip())
    assert rows_with(screen, LINE.strip()) == 1
    assert not sent(server, "line")
