"""What the consoles of chat and talk share: the server's events, pastes, and the start."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_client import client_at
from tests.support.operators import PROMPT, enter, operator
from tests.support.running import wait_until
from tests.support.terminal import ended


def test_events_that_go_to_a_file_are_not_shown(terminal: Any, tmp_path: Path) -> None:
    command = ["sh", "-c", 'exec "$@" 2> "$0"', str(tmp_path / "events")]
    child = terminal("serve", "chat", "--port", "0", "--data-dir", str(tmp_path), command=command, NO_COLOR="1")
    child.expect(PROMPT)
    child.sendline("/events")
    child.expect("Events are not shown")
    assert "listening" not in child.before
    wait_until(lambda: "listening" in (tmp_path / "events").read_text())
    child.sendintr()
    assert ended(child) == 0
    assert "server_stopped" in (tmp_path / "events").read_text()


def test_events_are_shown_until_somebody_is_there(terminal: Any, tmp_path: Path) -> None:
    child = terminal("serve", "chat", "--port", "0", "--data-dir", str(tmp_path), NO_COLOR="1")
    child.expect(r"listening .*127\.0\.0\.1:(\d+)\D")
    port = int(child.match[1])
    child.expect("events shown")
    with client_at(port) as ann:
        child.expect("client_connected")
        enter(ann, "ann")
        child.expect("Events are not shown from here on")
        child.expect("events hidden")
        ann.line("no event")
        child.expect("<ann> no event")
        child.sendline("/events 30")
        child.expect(r"data_received .*\n.*data_sent .*\n.*" + PROMPT)
        child.sendline("/events on")
        child.expect("Events are shown as they come")
        ann.line("an event")
        child.expect("data_received")
        child.sendline("/events off")
        child.expect("Events are not shown")
        child.sendline("/events of")
        child.expect("write /events on")
        child.sendintr()
        ann.until("bye")
    child.expect("server_stopping")
    child.expect("server_stopped")
    assert ended(child) == 0


def test_no_event_comes_behind_the_word_that_none_comes(terminal: Any, tmp_path: Path) -> None:
    child = terminal("serve", "chat", "-v", "--port", "0", "--data-dir", str(tmp_path), NO_COLOR="1")
    child.expect(r"listening .*127\.0\.0\.1:(\d+)\D")
    port = int(child.match[1])
    child.expect("events shown")
    with client_at(port) as ann, client_at(port) as bob:
        enter(ann, "ann")
        child.expect("Events are not shown from here on")
        enter(bob, "bob")
        child.expect("bob joined #lobby")
        assert not {"data_sent", "data_received", "member_came"} & set(child.before.split())
        child.sendintr()
    assert ended(child) == 0


def test_events_of_a_log_file_can_be_looked_at(terminal: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with operator(terminal, tmp_path, "--log-file", str(log), NO_COLOR="1") as (child, port):
        assert "server_started" not in child.before
        with client_at(port) as ann:
            enter(ann, "ann")
            child.expect("ann joined")
            wait_until(lambda: "member_came" in log.read_text())
            child.sendline("/events 100")
            child.expect("server_started")
            child.expect("member_came")
    assert "member_left" in log.read_text()


@pytest.mark.parametrize("says_yes", [True, False])
def test_a_paste_is_asked_about(terminal: Any, tmp_path: Path, says_yes: bool) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), client_at(port) as ann:
        enter(ann, "ann")
        child.expect("ann joined")
        child.send("\x1b[200~one\n  /quit\x1b[201~")
        child.expect("/quit")
        child.send("\r")
        child.expect(r"nd\? \[y/N\]")
        child.sendline("y" if says_yes else "n")
        if says_yes:
            ann.until("say", text="  /quit")
            child.expect("<server> one\r\n {15}  /quit")
        else:
            child.expect("one.*/quit")
            child.sendintr()
            child.sendline("else")
            assert ann.until("say")["text"] == "else"


def test_a_block_that_is_too_large_comes_back(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), client_at(port) as ann:
        enter(ann, "ann")
        child.send("\x1b[200~" + "x\n" * 250 + "\x1b[201~")
        child.expect("x")
        child.send("\r")
        child.expect("Not sent: 250 lines with 499 characters")
        child.expect(r"x\S*\r\r\n\S*x\S*\r\r\n")  # they are in the editor again
        child.sendintr()


@pytest.mark.parametrize(
    ("arguments", "first"),
    [([], "server_started"), (["--quiet"], "Listening on "), (["--log-file", "events.log"], "Listening on ")],
)
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_the_server_tells_its_start_before_the_operator_is_in_the_lobby(
    terminal: Any, tmp_path: Path, arguments: list[str], first: str, term: str
) -> None:
    options = ["--port", "0", "--data-dir", str(tmp_path), *arguments]
    command = ["sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path)]
    child = terminal("serve", "chat", *options, command=command, TERM=term, NO_COLOR="1")
    if term == "dumb":
        child.expect(r"You are in #lobby\.\r\nIn #lobby: server\r\nWhat is said is shown here\.")
    else:
        child.expect(r"What is said is shown here\.")
    assert first in child.before
    if not arguments:
        assert "Clients give a name and talk with each other in rooms." in child.before
        assert "loopback_only" in child.before
    if term != "dumb":
        child.expect(r"You are in #lobby\..*In #lobby: server.*" + PROMPT)
    child.sendintr()
    assert ended(child) == 0
