"""What a chat guarantees, on one server and on two that share a log: members can't tell the difference."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.accounts import accounts_at
from tests.support.chat_client import ChatClient, client
from tests.support.frames import Fields
from tests.support.running import receive_all, wait_until
from tests.support.two_servers import Servers, serve

KINDS = ("local", "shared")
BAD = "127.0.0.3"


@pytest.fixture(params=KINDS)
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Servers]:
    with serve(request.param, tmp_path) as both:
        yield both


@pytest.fixture(params=KINDS)
def auth_servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Servers]:
    with serve(request.param, tmp_path, users=("ann", "bob", "carl")) as both:
        yield both


@contextlib.contextmanager
def ann_and_bob(servers: Servers) -> Iterator[tuple[ChatClient, ChatClient]]:
    """Let ann come to the first server, then bob to the second one."""
    with client(servers.one) as ann, client(servers.two) as bob:
        ann.enter("ann").ready()
        bob.enter("bob")
        assert bob.until("members")["members"][-2:] == ["ann", "bob"]
        assert ann.until("joined", name="bob")["text"] == "bob joined #lobby."
        yield ann, bob


def say(one: ChatClient, text: str, *hearers: ChatClient) -> Fields:
    """Say a text, and wait until all have heard it."""
    one.line(text)
    heard = [each.until("say", text=text) for each in (one, *hearers)]
    assert all(each == heard[0] for each in heard)
    return heard[0]


def test_all_hear_all_in_one_order(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        for number in range(50):
            ann.line(f"a{number}")
            bob.line(f"b{number}")
        heard = [[one.until("say") for _ in range(100)] for one in (ann, bob)]
        assert heard[0] == heard[1]
        ids = [one["id"] for one in heard[0]]
        assert ids == sorted(set(ids))
        for name in ("ann", "bob"):
            own = [one["text"] for one in heard[0] if one["sender"] == name]
            assert own == [f"{name[0]}{number}" for number in range(50)]


def test_blocks_and_actions_come_whole(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        ann.line("/me waves")
        assert bob.until("say", text="waves")["action"] is True
        ann.send(kind="block", text="x", lines=["one", "two", "three"])
        assert [bob.until("say")["text"] for _ in range(3)] == ["one", "two", "three"]
        say(ann, "behind", bob)
        with client(servers.two) as carl:
            carl.send(kind="hello", can=["blocks"])
            carl.enter("carl")
            told = [carl.until("history") for _ in range(3)]
            assert told[1]["lines"] == ["one", "two", "three"]
            assert told[2]["id"] == told[1]["id"] + 1
            bob.send(kind="block", text="x", lines=["four", "five"])
            assert carl.until("say")["lines"] == ["four", "five"]


def test_clients_that_read_lines_hear_all_but_themselves(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob), servers.two.client() as sock:
        sock.sendall(b"carl\nhello\n/me waves\n")
        assert ann.until("say", text="hello")["sender"] == "carl"
        assert bob.until("say", text="waves")["sender"] == "carl"
        say(ann, "and you?", bob)
        sock.sendall(b"/quit\n")
        lines = receive_all(sock).decode().split("\r\n")
        assert "<ann> and you?" in lines
        assert not [line for line in lines if "hello" in line or line == "* carl waves"]


def test_private_messages_reach_one(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob), client(servers.two) as carl:
        carl.enter("carl").ready()
        ann.line("/msg bob psst")
        assert bob.until("say", text="psst")["private"] is True
        assert ann.until("say", text="psst")["to"] == "bob"
        bob.line("/reply what?")
        assert ann.until("say", text="what?")["sender"] == "bob"
        bob.line("/ignore ann")
        bob.until("notice", code="ignore")
        ann.line("/msg bob still there?")
        ann.until("say", text="still there?")
        ann.line("/msg carl hello")
        carl.until("say", text="hello")
        bob.nothing_but("notice", "joined", "say")
        ann.line("/msg nobody hello")
        assert "Nobody here" in ann.until("error")["text"]


def test_everybody_is_listed_everywhere(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        bob.line("/join #games")
        bob.until("members", room="#games")
        bob.line("/away at lunch")
        assert bob.until("notice", code="away")["away"] == "at lunch"
        wait_until(lambda: _details(ann, "bob").get("away") == "at lunch")
        wait_until(lambda: ann.list_rooms("bob") == ["#lobby", "#games"])
        ann.line("/who #games")
        assert ann.until("members", room="#games")["members"] == ["bob"]
        ann.line("/whois bob")
        told = ann.until("notice", code="whois")
        assert told["rooms"] == ["#lobby", "#games"]
        assert told["away"] == "at lunch"
        ann.line("/msg bob hello")
        assert ann.until("notice", code="away")["text"] == "bob is away: at lunch"
        bob.line("back")
        bob.until("notice", code="away", away="")
        wait_until(lambda: "away" not in _details(ann, "bob"))
        ann.line("/rooms")
        assert ann.until("notice", room="#games")["count"] == 1


def _details(one: ChatClient, name: str) -> Fields:
    one.line("/who #lobby")
    told = one.until("members", count=len(_names(one)))
    details: Fields = told["details"][told["members"].index(name)]
    return details


def _names(one: ChatClient) -> list[str]:
    one.line("/who #lobby")
    names: list[str] = one.until("members", room="#lobby")["members"]
    return names


def test_members_come_and_go_once(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        bob.line("/join #games")
        wait_until(lambda: ann.list_rooms("bob") == ["#lobby", "#games"])
        ann.line("/join #games")
        assert ann.until("members", room="#games")["members"] == ["bob", "ann"]
        assert bob.until("joined", name="ann")["text"] == "ann joined #games."
        bob.line("/leave #games")
        bob.until("left", room="#games")
        assert ann.until("left")["text"] == "bob left #games (left)."
        bob.line("/quit")
        assert ann.until("left")["text"] == "bob left #lobby (left)."
        ann.nothing_but()
        assert "bob" not in _names(ann)


def test_a_new_name_is_told(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        bob.line("/nick zoe")
        for one in (ann, bob):
            assert one.until("renamed")["before"] == "bob"
        say(bob, "hello", ann)
        ann.line("/nick ZOE")
        assert ann.until("error")["code"] == "name_taken"
        ann.send(kind="line", text="/nick server", n=7)
        assert ann.until("error")["n"] == 7
        with client(servers.two) as carl:
            for name in ("Ann", "zoe"):
                carl.expect("ask")
                carl.send(kind="answer", field="name", text=name)
                assert carl.until("error")["code"] == "name_taken"
            carl.expect("ask")
            carl.send(kind="answer", field="name", text="bob")
            carl.until("welcome", name="bob")


def test_who_types_is_shown(servers: Servers) -> None:
    with ann_and_bob(servers) as (_, bob), client(servers.one) as carl:
        carl.send(kind="hello", can=["typing"])
        carl.enter("carl").ready()
        bob.send(kind="typing")
        assert carl.until("typing")["sender"] == "bob"


def test_the_past_is_told_wherever_one_comes(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        ids = [say(ann, f"{number}", bob)["id"] for number in range(30)]
        with client(servers.two) as carl:
            carl.enter("carl")
            told = [carl.until("history") for _ in range(20)]
            assert [one["id"] for one in told] == ids[10:]
            assert "more" not in told[-1]
        ann.line("/topic tea")
        bob.until("notice", code="topic", topic="tea")
        with client(servers.two) as dan:
            dan.enter("dan")
            assert dan.until("notice", code="topic")["topic"] == "tea"


def test_who_comes_back_elsewhere_hears_what_it_missed_once(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        first = say(ann, "one", bob)["id"]
        bob.line("/ignore eve")
        bob.until("notice", code="ignore")
        bob.sock.close()
        ann.until("left", name="bob")
        say(ann, "two")
        with client(servers.one) as back:
            back.resume(bob.token, lobby=first)
            back.expect("token", token=bob.token)
            back.until("welcome", name="bob")
            assert back.until("history")["text"] == "two"
            say(ann, "three", back)
            back.line("/ignore")
            assert back.until("notice", code="ignore")["ignored"] == ["eve"]


def test_a_guest_that_comes_back_takes_over_its_client(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        bob.line("/join #games")
        bob.until("members", room="#games")
        first = say(ann, "one")["id"]
        with client(servers.one) as back:
            back.resume(bob.token, games=0, lobby=first)
            back.until("welcome", name="bob")
            assert back.until("joined", room="#games")["name"] == "bob"
            assert back.until("joined", room="#lobby")["name"] == "bob"
            assert bob.until("bye")["reason"] == "taken_over"
            say(ann, "two", back)
            ann.line("/msg bob hello")
            back.until("say", text="hello")
            ann.nothing_but("say")
            back.line("/quit")
            assert ann.until("left")["text"] == "bob left #lobby (left)."


def test_a_user_is_heard_through_all_clients(auth_servers: Servers) -> None:
    servers = auth_servers
    with client(servers.one) as ann, client(servers.two) as also, client(servers.two) as bob:
        ann.log_in("ann").ready()
        bob.log_in("bob").ready()
        ann.until("joined", name="bob")
        also.log_in("ann").ready()
        say(bob, "hello", ann, also)
        ann.line("/join #games")
        for one in (ann, also):
            assert one.until("members", room="#games")["members"] == ["ann"]
        ann.line("hello games")
        also.until("say", text="hello games")
        also.line("in the lobby")
        assert bob.until("say", text="in the lobby")["sender"] == "ann"
        ann.line("/leave #games")
        for one in (ann, also):
            assert one.until("left", room="#games")["text"] == "You left #games."
        bob.line("/msg ann psst")
        for one in (ann, also, bob):
            one.until("say", text="psst")
        ann.line("/nick nan")
        for one in (ann, also, bob):
            one.until("renamed", name="nan")
        ann.line("/quit")
        ann.until("bye")
        say(bob, "still there?", also)
        bob.nothing_but()
        also.line("/quit")
        assert bob.until("left")["name"] == "nan"


def _announced(*hearers: ChatClient) -> str:
    texts: set[str] = {one.until("notice", code="announcement")["text"] for one in hearers}
    assert len(texts) == 1
    return texts.pop()


def test_a_name_is_given_back_to_a_user(auth_servers: Servers, tmp_path: Path) -> None:
    servers = auth_servers
    with client(servers.one) as ann, client(servers.two) as bob:
        ann.log_in("ann").ready()
        bob.log_in("bob").ready()
        ann.until("joined", name="bob")
        ann.line("/nick dan")
        bob.until("renamed", name="dan")
        accounts_at(tmp_path, "dan")
        assert bob.until("renamed")["name"] == "ann"
        told = ann.until("notice", code="renamed")["text"]
        assert told == "dan is the name of a user now: you are ann from here on."
        with client(servers.two) as dan:
            dan.log_in("dan")
        servers.terminal.type("/announce tea is ready")
        assert _announced(ann, bob) == "server announces: tea is ready"  # the terminal keeps its name


def test_operators_are_obeyed_everywhere(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        terminal = servers.terminal
        terminal.type("/announce tea is ready")
        assert _announced(ann, bob) == "server announces: tea is ready"
        terminal.type("/mute bob 1h be quiet")
        assert _announced(ann, bob).startswith("server lets bob (the address) read only until ")
        bob.line("hello")
        bob.until("error", code="muted")
        terminal.type("/unmute bob")
        assert _announced(ann, bob) == "server lets bob (the address) speak again."
        say(bob, "thanks", ann)
        terminal.type("/topic tea")
        assert ann.until("notice", code="topic")["topic"] == "tea"
        terminal.type("/kick bob enough")
        assert _announced(ann, bob) == "server put bob out: enough"
        assert bob.until("bye")["reason"] == "kicked"
        assert ann.until("left")["text"] == "bob left #lobby (put out)."


@pytest.mark.parametrize("who", ["eve", BAD])
def test_a_ban_holds_everywhere(servers: Servers, who: str) -> None:
    with ann_and_bob(servers) as (ann, bob), client(servers.two, source=BAD) as eve:
        eve.enter("eve").ready()
        ann.until("joined", name="eve")
        servers.terminal.type(f"/ban {who} 1h spam")
        assert _announced(ann, bob).startswith("server banned ")
        assert eve.until("error", code="banned")["until"]
        assert eve.until("bye")["reason"] == "banned"
        assert ann.until("left")["text"] == "eve left #lobby (banned)."
        for run in (servers.one, servers.two):
            with client(run, source=BAD) as again:
                again.expect("error", code="banned")
        if who == "eve":
            with client(servers.one) as again:
                again.send(kind="resume", token=eve.token)
                again.until("error", code="banned")
        servers.terminal.type(f"/unban {who}")
        assert "in again" in _announced(ann, bob)
        with client(servers.two, source=BAD) as again:
            again.enter("eve")


def test_a_user_is_banned_everywhere(auth_servers: Servers) -> None:
    servers = auth_servers
    with client(servers.one) as ann, client(servers.two) as bob:
        ann.log_in("ann").ready()
        bob.log_in("bob").ready()
        ann.until("joined", name="bob")
        servers.terminal.type("/ban bob")
        assert ann.until("left")["text"] == "bob left #lobby (banned)."
        with client(servers.one) as again:
            again.log_in("bob", let_in=False)
            again.until("error", code="banned")


@pytest.mark.parametrize("end", ["quit", "bye", "eof"])
def test_who_leaves_hears_what_it_has_said(servers: Servers, end: str) -> None:
    with ann_and_bob(servers) as (ann, bob):
        for number in range(3):
            bob.line(f"{number}")
        bob.leave(end)
        assert [one["text"] for one in bob.rest() if one["kind"] == "say"] == ["0", "1", "2"]
        assert ann.until("left")["text"] == "bob left #lobby (left)."
        with servers.two.client() as sock:
            sock.sendall(b"carl\nhello\n/away at lunch\n" + (b"/quit\n" if end == "quit" else b""))
            sock.shutdown(socket.SHUT_WR)
            assert "You are away: at lunch" in receive_all(sock).decode()
        assert ann.until("say")["text"] == "hello"
