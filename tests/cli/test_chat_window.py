"""The window on a chat in a terminal emulator: rooms by keys, the status line, blocks, searching, coming back."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_server import ChatServer, chat_server
from tests.support.running import wait_until
from tests.support.tmux import Tmux, tmux


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as one:
        one.rooms = {"lobby": [], "games": []}
        yield one


def join(screen: Tmux, server: ChatServer, *options: str) -> None:
    screen.start("connect", *options, f"sockctl://{server.target}")
    screen.expect("Your name?")
    screen.type("ann")
    screen.press("Enter")
    screen.expect("[#games] ann>")


def start(folder: Path, columns: int = 80) -> contextlib.AbstractContextManager[Tmux]:
    return tmux(folder, columns=columns, NO_COLOR="1", SOCKCTL_STATE_DIR=str(folder / "state"))


def test_rooms_by_keys(tmp_path: Path, server: ChatServer) -> None:
    with start(tmp_path) as screen:
        join(screen, server)
        server.say("bob", "is ann here?", room="lobby")
        server.say("bob", "a game of go?", room="games")
        rows = screen.expect("1:#lobby 1 !1", "<bob> a game of go?")
        assert "is ann here?" not in "\n".join(rows)
        screen.type("half a li")
        screen.press("M-1")
        rows = screen.expect("[#lobby] ann> half a li", "── new ──", ">> <bob> is ann here?")
        assert "a game of go?" not in "\n".join(rows)
        assert "1:#lobby" not in "\n".join(rows)
        wait_until(lambda: server.said() == ["/join #lobby"])
        screen.press("M-Right")
        rows = screen.expect("[#games] ann> half a li", "<bob> a game of go?")
        assert "── new ──" not in "\n".join(rows)
        screen.press("M-Left")
        screen.expect("[#lobby] ann> half a li")
        screen.press("M-9")
        screen.type("ne")
        screen.press("Enter")
        screen.expect("<ann> half a line")


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_nothing_wraps_by_itself(tmp_path: Path, server: ChatServer, columns: int) -> None:
    with start(tmp_path, columns) as screen:
        join(screen, server)
        words = "the quick brown fox jumps over the lazy dog and then it sleeps, as foxes do, until the next morning "
        server.say("bob", words * 2, room="games")
        server.say("a-very-long-name-of-somebody", "привет 小明 " + "x" * 100, room="games")
        server.say("bob", "x", room="games", lines=["def f():", "    return 1"])
        server.say("carol", "hello", room="lobby")
        rows = screen.expect("return 1", "1:#lobby 1" if columns > 40 else "#lobby 1")
        shown = [row for row in rows if row[:1] == " " and row.strip()][:-1]
        assert len(shown) >= 3
        assert all(len(row) - len(row.lstrip()) >= 6 for row in shown), "hanging indents"
        assert rows[-1].startswith(" #games")
        assert len(rows[-1]) <= columns


def test_local_commands(tmp_path: Path, server: ChatServer) -> None:
    with start(tmp_path) as screen:
        join(screen, server)
        server.say("bob", "green tea", room="games")
        server.say("bob", "coffee", room="games")
        screen.expect("coffee")
        screen.type("/last TEA")
        screen.press("Enter")
        screen.expect("── search: TEA ──", "── end of the search: 1 found ──")
        screen.type("/bell off")
        screen.press("Enter")
        screen.expect("* The bell is off.")
        screen.type("/clear")
        screen.press("Enter")
        wait_until(lambda: not [row for row in screen.screen() if "tea" in row])
        screen.expect("[#games] ann>")
        assert server.said() == []


def test_the_status_line_tells_of_the_connection(tmp_path: Path, server: ChatServer) -> None:
    with start(tmp_path) as screen:
        join(screen, server)
        screen.expect("#games 3 members │ connected")
        server.stop()
        screen.expect("away, co")
        server.start()
        screen.expect("#games 3 members │ connected")


def test_who_types_is_told_for_a_while(tmp_path: Path, server: ChatServer) -> None:
    with start(tmp_path) as screen:
        join(screen, server)

        def is_told() -> bool:  # a mark lasts for some seconds
            server.send("typing", "bob is typing.", room="games", sender="bob")
            return "bob types…" in screen.screen()[-1]

        wait_until(is_told)
        server.say("bob", "done", room="games")
        assert "types" not in screen.expect("<bob> done")[-1]


def test_plain_has_no_window(tmp_path: Path, server: ChatServer) -> None:
    with start(tmp_path) as screen:
        screen.start("connect", "--plain", f"sockctl://{server.target}")
        screen.expect("Your name?")
        screen.type("ann")
        screen.press("Enter")
        screen.expect("In #games: ann, bob, carol")
        server.say("bob", "hello", room="lobby")
        server.send("typing", "bob is typing.", room="games", sender="bob")
        server.say("bob", "there", room="games")
        rows = screen.expect("#lobby <bob> hello", "#games <bob> there")
        assert "typing" not in "\n".join(rows)
        assert "members │" not in "\n".join(rows)


def test_going_to_a_room_while_the_connection_is_away(tmp_path: Path, server: ChatServer) -> None:
    with start(tmp_path) as screen:
        join(screen, server)
        server.say("bob", "hello", room="lobby")
        screen.expect("1:#lobby 1")
        server.stop()
        screen.expect("away, co")
        screen.press("M-1")
        screen.expect("<bob> hello", "[#lobby] ann>")
        server.start()
        screen.expect("[#lobby] ann>", "connected")
        wait_until(lambda: server.said() == ["/join #lobby"])


def test_a_mention_rings_the_bell(terminal: Any, server: ChatServer, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    child = terminal("connect", f"sockctl://{server.target}", NO_COLOR="1", SOCKCTL_STATE_DIR=state)
    child.expect(r"Your name\?")
    child.sendline("ann")
    child.expect("In #games")
    server.say("bob", "ann, are you there?", room="lobby")
    child.expect("\a")
