"""The chat, through sockets: names, rooms, commands, operators, tokens, and what outlasts a restart."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.message_peer import MessagePeer
from sockctl.protocol.messages import message
from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.commands import COMMANDS
from sockctl.services.chat.history import JOINING_BYTES
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.login import SESSION_ENDED
from sockctl.stores.timestamps import utc_now
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.chat_client import ChatClient, client, lines_of, members, served
from tests.support.frames import Fields, frame_client, framed
from tests.support.running import Running, running, wait_until
from tests.support.scripted_peer import ScriptedPeer

RULES = ChatRules(flood=None)
DEFAULT = ChatLimits()


class Silent(ScriptedPeer):
    """A client that nobody looks at."""

    def post_encoded(self, data: bytes) -> None:
        """Take it."""


# Coming in.


def test_the_first_minute_in_lines(tmp_path: Path) -> None:
    with served(tmp_path) as run:
        heard = lines_of(run, "ann", "hello", "/me waves", "/who")
    assert heard == [
        "sockctl/1 chat",
        "What is your name?",
        "Welcome, ann! What you type is said in #lobby; /help lists the commands.",
        "You are in #lobby.",
        "In #lobby: ann",
        "In #lobby: ann",
        "",
    ], "no copy of what one says oneself"


def test_the_first_minute_in_frames(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("hello")
        own = ann.until("say", text="hello")
        assert bob.until("say") == own
        assert (own["room"], own["sender"]) == ("#lobby", "ann")
        assert own["at"].endswith("Z")
        bob.line("/me waves")
        assert ann.until("say", sender="bob", text="waves", action=True)["id"] == own["id"] + 1
        with client(run) as carl:
            carl.enter("carl")
            assert carl.expect("joined", room="#lobby", name="carl")
            assert carl.expect("members", room="#lobby")["members"] == ["ann", "bob", "carl"]
            assert carl.expect("history", id=own["id"], sender="ann", text="hello", more=True)["at"] == own["at"]
            assert "more" not in carl.expect("history", text="waves", action=True)
        assert ann.until("joined")["name"] == "carl"
        assert ann.until("left", name="carl", reason="left")["room"] == "#lobby"


def test_only_the_last_twenty_are_told_at_joining(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        for number in range(30):
            ann.line(str(number))
        ann.until("say", text="29")
        with client(run) as bob:
            bob.enter("bob").ready()
            assert [bob.expect("history")["text"] for _ in range(20)] == [str(number) for number in range(10, 30)]
            bob.line("/history 25")
            again = [bob.expect("history") for _ in range(25)]
            assert [one["text"] for one in again] == [str(number) for number in range(5, 30)]
            assert all(one["again"] for one in again)
            bob.line("/history nonsense")
            bob.expect("error", code="bad_command")


def test_a_history_has_its_time_on_lines(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line("hello")
        at = ann.until("say")["at"][11:16]
        assert f"[{at}] <ann> hello" in lines_of(run, "bob")


def test_a_motd_and_fixed_rooms(tmp_path: Path) -> None:
    rules = ChatRules(flood=None, motd=["Be kind.", "Tea at five."], rooms=["#tea", "#dev"])
    with served(tmp_path, rules) as run, client(run) as ann:
        ann.enter("ann")
        assert [ann.expect("notice", code="motd")["text"] for _ in range(2)] == ["Be kind.", "Tea at five."]
        ann.expect("joined", room="#tea")
        ann.ready()
        ann.line("/join lobby")
        assert "There is no room #lobby" in ann.expect("error", code="bad_command")["text"]
        ann.line("/join DEV")
        ann.expect("joined", room="#dev")
        ann.ready()
        ann.line("/rooms")
        assert [(ann.expect("notice")["room"]) for _ in range(2)] == ["#tea", "#dev"]


# Names.


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("server", "bad_name"),
        ("Admin", "bad_name"),
        ("root", "bad_name"),
        ("SYSTEM", "bad_name"),
        ("", "bad_name"),
        ("a b", "bad_name"),
        ("ann\x1b[31m", "bad_name"),
        ("x" * 33, "bad_name"),
        ("ANN", "name_taken"),
    ],
)
def test_a_name_that_will_not_do_is_asked_again(tmp_path: Path, name: str, code: str) -> None:
    with served(tmp_path) as run, members(run, "ann"), client(run) as other:
        other.expect("ask")
        other.send(kind="answer", field="name", text=name)
        assert "\x1b" not in other.expect("error", code=code)["text"]
        other.enter("bob")


def test_five_tries_for_a_name(tmp_path: Path) -> None:
    with served(tmp_path) as run, client(run) as other:
        for _ in range(5):
            other.expect("ask", field="name")
            other.line("root")
            last = other.expect("error", code="bad_name")
        assert last["text"].endswith("That was the last try.")
        other.expect("bye", reason="too_many_tries")


def test_twenty_want_one_name(tmp_path: Path) -> None:
    with served(tmp_path) as run, contextlib.ExitStack() as stack:
        racers = [stack.enter_context(client(run)) for _ in range(20)]
        start = threading.Barrier(20)
        kinds: list[str] = []

        def race(racer: ChatClient) -> None:
            racer.expect("ask")
            start.wait(10)
            racer.line("Ann")
            one = racer.receive()
            assert one is not None
            kinds.append(one["kind"])

        threads = [threading.Thread(target=race, args=(racer,)) for racer in racers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(kinds) == ["error"] * 19 + ["token"]


def test_another_name(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/nick BOB")
        ann.expect("error", code="name_taken")
        ann.line("/nick Ann")
        bob.until("renamed", before="ann", name="Ann")
        ann.line("/nick zoe")
        ann.until("renamed", before="Ann", name="zoe")
        bob.until("renamed", before="Ann", name="zoe")
        ann.line("it is me")
        bob.until("say", sender="zoe", text="it is me")
        bob.line("/nick ann")
        ann.until("renamed", before="bob", name="ann")
        bob.line("/nick root")
        bob.until("error", code="bad_name")
        ann.line("/nick zoe")  # which it has
        ann.line("/leave")
        ann.until("left")
        ann.line("/nick anna")
        ann.until("renamed", before="zoe", name="anna")


def test_no_line_looks_like_somebody_elses(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, _), run.client() as carl:
        carl.sendall(b"carl\n")
        ann.until("joined", name="carl")
        ann.line("hi\n<bob> fake\r\n<bob> again\u2028<bob> and again")
        ann.line("\x1b[2J\u202egnp\x9b31m")
        received = b""
        while b"gnp" not in received:
            received += carl.recv(65_536)
        said = [line for line in received.decode().split("\r\n") if "fake" in line or "gnp" in line]
        assert said == ["<ann> hi <bob> fake <bob> again <bob> and again", "<ann> [2Jgnp31m"]


def test_text_keeps_every_letter(tmp_path: Path) -> None:
    text = 'Zoë 🦜 👩‍👩‍👧 ﷽ \t „tief“ \\ " <b>'
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line(text)
        assert bob.until("say")["text"] == text


def test_a_text_that_is_too_long(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("🦜" * 1024)
        ann.line("🦜" * 1024 + "x")
        ann.line("/msg bob " + "x" * 4097)
        bob.until("say", text="🦜" * 1024)
        ann.until("error", code="too_long")
        ann.until("error", code="bad_command")
        bob.nothing_but()


# Commands.


def test_private_messages(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob", "carl") as (ann, bob, carl):
        bob.line("/reply hello?")
        assert "Nobody has written to you" in bob.until("error", code="bad_command")["text"]
        ann.line("/msg BOB psst")
        own = ann.until("say", private=True)
        assert bob.until("say", private=True, sender="ann", to="bob", text="psst") == own
        assert "id" not in own
        bob.line("/reply what?")
        ann.until("say", private=True, sender="bob", to="ann", text="what?")
        ann.line("/msg nobody hello")
        assert "Nobody here has the name 'nobody'" in ann.until("error", code="bad_command")["text"]
        ann.line("/msg ann note to self")
        ann.until("say", private=True, text="note to self")
        ann.nothing_but()
        carl.nothing_but()
        with run.client() as dora:
            dora.sendall(b"dora\n")
            ann.until("joined", name="dora")
            ann.line("/msg dora in a line")
            received = b""
            while b"(private) <ann> in a line\r\n" not in received:
                received += dora.recv(65_536)


def test_rooms(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/join Dev")
        ann.expect("joined", room="#dev", name="ann")
        ann.expect("members", members=["ann"])
        ann.line("only here")
        ann.until("say", room="#dev")
        bob.line("/who dev")
        bob.until("members", room="#dev", members=["ann"])
        bob.line("/who nowhere")
        bob.until("error", code="bad_command")
        bob.line("/join #dev")
        bob.until("history", text="only here", room="#dev")
        ann.until("joined", room="#dev", name="bob")
        ann.line("/join lobby")
        assert ann.until("notice", code="room")["text"] == "You speak in #lobby now."
        ann.line("to all")
        bob.until("say", room="#lobby", text="to all")
        bob.line("/rooms")
        assert [bob.expect("notice", code="room")["text"] for _ in range(2)] == ["#lobby: 2 members", "#dev: 2 members"]
        bob.line("/leave")
        bob.until("left", room="#dev", name="bob")
        assert bob.expect("notice", code="room")["text"] == "You speak in #lobby now."
        ann.until("left", room="#dev", name="bob", reason="left")
        ann.line("/leave dev")
        ann.until("left", room="#dev")
        ann.line("/leave dev")
        ann.until("error", code="bad_command")
        ann.line("/leave")
        ann.until("left", room="#lobby")
        ann.line("anybody?")
        assert "You are in no room" in ann.until("error")["text"]
        ann.line("/leave")
        ann.until("error")
        ann.line("/join lobby")
        ann.until("joined", room="#lobby", name="ann")
        bob.until("joined", room="#lobby", name="ann")
        ann.line("/join a b")
        ann.until("error", code="bad_command")
        ann.line("/join -x")
        ann.until("error", code="bad_room")


def test_rooms_are_named_on_lines(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,), run.client() as bob:
        bob.sendall(b"bob\n/join dev\n")
        ann.until("joined", name="bob")
        ann.line("/join dev")
        ann.until("members", room="#dev")
        ann.line("hello")
        received = b""
        while b"#dev <ann> hello\r\n" not in received:
            received += bob.recv(65_536)


def test_only_so_many_rooms(tmp_path: Path) -> None:
    with served(tmp_path, limits=ChatLimits(max_rooms=3)) as run, members(run, "ann") as (ann,):
        for room in ("one", "two"):
            ann.line(f"/join {room}")
            ann.until("members", room=f"#{room}")
        ann.line("/join three")
        assert "There are 3 rooms already" in ann.until("error")["text"]
        ann.line("/leave one")
        ann.until("left", room="#one")
        ann.line("/join three")
        ann.until("members", room="#three")


def test_topics(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/topic")
        assert ann.until("notice", code="topic", topic="")["text"] == "#lobby has no topic."
        ann.line("/topic  Tea,  and nothing else ")
        assert bob.until("notice", code="topic")["text"] == "ann set the topic of #lobby: Tea,  and nothing else"
        bob.line("/topic")
        bob.until("notice", code="topic", room="#lobby", topic="Tea,  and nothing else")
        with client(run) as carl:
            carl.enter("carl")
            carl.expect("joined")
            carl.expect("notice", code="topic", topic="Tea,  and nothing else")
        bob.line("/rooms")
        bob.until("notice", code="room", topic="Tea,  and nothing else")


def test_ignoring(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob", "carl") as (ann, bob, carl):
        ann.line("/ignore BOB")
        assert ann.until("notice", code="ignore")["ignored"] == ["bob"]
        bob.line("unconfirmed")
        bob.line("/msg ann unheard too")
        carl.until("say", text="unconfirmed")
        bob.until("say", private=True)
        carl.line("heard")
        assert ann.until("say")["text"] == "heard"
        ann.line("/ignore")
        ann.until("notice", code="ignore", ignored=["bob"])
        ann.line("/ignore bob")
        ann.until("notice", code="ignore", ignored=[])
        bob.line("heard again")
        ann.until("say", text="heard again")
        ann.line("/ignore ann")
        ann.until("error", code="bad_command")


def test_what_is_ignored_is_not_in_the_history_either(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob", "carl") as (ann, bob, carl):
        for one, text in ((carl, "first"), (bob, "hidden"), (carl, "second"), (bob, "hidden too")):
            one.line(text)
            ann.until("say", text=text)
        ann.line("/ignore bob")
        ann.until("notice", code="ignore")
        ann.line("/history")
        assert ann.expect("history", text="first")["more"]
        assert "more" not in ann.expect("history", text="second")
        ann.line("/history 1")
        assert "more" not in ann.expect("history", text="second")


def test_quiet(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/quiet")
        ann.until("notice", code="quiet")
        with client(run) as carl:
            carl.enter("carl").ready()
        bob.until("left", name="carl")
        ann.nothing_but()
        ann.line("/quiet")
        ann.until("notice", code="quiet")
        with client(run) as carl:
            carl.enter("carl").ready()
        ann.until("joined", name="carl")


def test_help_and_unknown_commands(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line("/help")
        told = [ann.expect("notice", code="help")["text"] for _ in range(16)]
        open_to_all = [command for command in COMMANDS if not command.operators_only]
        assert [line.split()[0] for line in told[:-1]] == [f"/{command.name}" for command in open_to_all]
        ann.line("/help join")
        assert ann.until("notice")["text"].startswith("/join ROOM: ")
        ann.line("/jion dev")
        assert "did you mean /join?" in ann.until("error", code="unknown_command")["text"]
        ann.line("/kick ann")
        ann.until("error", code="unknown_command")
        ann.line("//not a command")
        ann.until("say", text="/not a command")
        ann.line("   ")
        ann.send(kind="answer", field="name", text="late")
        ann.send(kind="whatever", text="newer")
        ann.nothing_but("notice")


def test_whois(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, _):
        ann.line("/whois BOB")
        told = ann.until("notice", code="whois")
        assert (told["name"], told["rooms"]) == ("bob", ["#lobby"])
        assert "addresses" not in told
        assert "bob is a guest, here since 20" in told["text"]


def test_an_answer_goes_to_whoever_wrote_whatever_its_name_is(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob", "eve") as (ann, bob, eve):
        bob.line("/reply nobody wrote yet")
        assert "Nobody has written to you" in bob.until("error")["text"]
        ann.line("/msg bob a question")
        bob.until("say", private=True)
        ann.line("/nick zoe")
        bob.until("renamed", name="zoe")
        eve.line("/nick ann")
        bob.until("renamed", name="ann")
        bob.line("/reply the answer")
        assert bob.until("say", private=True)["to"] == "zoe"
        ann.until("say", private=True, text="the answer")
        eve.nothing_but("joined", "members", "renamed")
        ann.line("/quit")
        bob.until("left", name="zoe")
        bob.line("/reply is anybody there?")
        assert bob.until("error")["text"] == "ann has left: what you wrote was sent to nobody."
        with client(run) as back:
            back.resume(ann.token)
            back.ready()
            bob.line("/reply once more")
            back.until("say", private=True, text="once more")


def test_a_topic_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line(f"/topic {'x' * 300}")
        ann.until("notice", code="topic", topic="x" * 300)
        ann.line(f"/topic {'y' * 301}")
        assert "A topic may have 300 characters" in ann.until("error", code="bad_command")["text"]


def test_quitting(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/quit")
        ann.until("bye", reason="server_closed")
        bob.until("left", name="ann", reason="left")
        bob.send(kind="bye")
        assert [event.who for event in run.sink.wait_for("member_left", 2)] == ["ann", "bob"]
        assert [event.who for event in run.sink.named("member_came")] == ["ann", "bob"]


# Tokens.


def test_a_guest_takes_its_name_back_from_a_half_dead_connection(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob), client(run) as back:
        ann.line("/join dev")
        ann.until("members", room="#dev")
        bob.line("one")
        seen = ann.until("say", text="one")["id"]
        bob.line("two")
        bob.until("say", text="two")
        back.resume(ann.token, lobby=seen)
        back.expect("token", token=ann.token)
        back.expect("welcome", name="ann")
        ann.until("bye", reason="taken_over")
        bob.line("three")
        rooms, texts = set(), []
        while "three" not in texts or "#dev" not in rooms:
            one = back.receive()
            assert one is not None
            if one["kind"] == "joined":
                rooms.add(one["room"])
            elif one["kind"] in {"say", "history"}:
                texts.append(one["text"])
        assert rooms == {"#lobby", "#dev"}
        assert texts == ["two", "three"], "what was missed, and nothing twice"
        bob.nothing_but("say")


def test_a_guest_comes_back_after_it_has_left(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "bob") as (bob,):
        with client(run) as ann:
            ann.enter("ann").ready()
            ann.line("/join dev")
            ann.until("members", room="#dev")
        bob.until("left", name="ann")
        bob.line("while you were away")
        bob.until("say")
        with client(run) as back:
            back.resume(ann.token)
            back.expect("token")
            back.expect("welcome", name="ann")
            back.until("history", text="while you were away")
            back.until("joined", room="#dev")
        bob.until("joined", name="ann")
        bob.until("left", name="ann")
        with members(run, "Ann"), client(run) as late:
            late.send(kind="resume", token=ann.token)
            late.expect("ask")
            late.expect("error", code="name_taken")
            late.expect("ask")


def test_a_guest_comes_back_as_it_was(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "bob") as (bob,):
        with client(run) as ann:
            ann.enter("ann").ready()
            for line, code in (("/ignore bob", "ignore"), ("/quiet", "quiet")):
                ann.line(line)
                ann.until("notice", code=code)
            for room in ("dev", "tea"):
                ann.line(f"/join {room}")
                ann.until("members", room=f"#{room}")
            ann.line("/join dev")
            ann.until("notice", code="room", room="#dev")
            ann.line("/leave lobby")
            ann.until("notice", code="room", room="#dev")
        bob.until("left", room="#lobby")
        bob.line("/join tea")
        bob.until("members", room="#tea")
        with client(run) as back:
            back.resume(ann.token)
            back.expect("token")
            assert "What you type is said in #dev;" in back.expect("welcome", room="#dev")["text"]
            assert [back.until("members")["room"] for _ in range(2)] == ["#tea", "#dev"]
            bob.line("not heard")
            bob.until("say")
            with client(run) as late:
                late.enter("late").ready()
                late.line("/join dev")
                late.until("members", room="#dev")
                late.line("heard")
                assert back.expect("say", room="#dev")["text"] == "heard", "nothing of who ignores, and who comes"
            back.line("here")
            assert back.until("say", text="here")["room"] == "#dev"
            back.line("/whois ann")
            assert back.until("notice", code="whois")["rooms"] == ["#tea", "#dev"]


def test_a_gap_in_what_was_missed_is_told(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None, history=30)) as run, members(run, "bob") as (bob,):
        with client(run) as ann:
            ann.enter("ann").ready()
            bob.line("heard")
            seen = ann.until("say")["id"]
        bob.until("left", name="ann")

        def told_after(count: int, seen: int) -> list[Fields]:
            for number in range(count):
                bob.line(f"missed {number}")
                bob.until("say", text=f"missed {number}")
            with client(run) as back:
                back.resume(ann.token, lobby=seen)
                back.ready()
                back.line("done")
                told = [back.expect("notice", code="missed")] if count > 30 else []
                while (one := back.receive()) is not None and one["kind"] == "history":
                    told.append(one)
            bob.until("left", name="ann")
            return told

        assert len(told_after(25, seen)) == 25
        first, *rest = told_after(31, seen)
        assert "More was said in #lobby meanwhile" in first["text"]
        assert len(rest) == 30


def test_what_is_told_at_coming_into_many_rooms_is_bounded(tmp_path: Path) -> None:
    rooms = [f"#room{number}" for number in range(20)]
    with served(tmp_path) as run:
        with client(run) as ann:
            ann.enter("ann")
            for room in rooms:
                ann.line(f"/join {room}")
                for _ in range(40):
                    ann.line("x" * 4_000)
                ann.until("say", room=room)
            ann.line("the last word")
            ann.until("say", text="the last word")
        with client(run) as back:
            back.send(kind="resume", token="", name="back", seen=dict.fromkeys(rooms, 0))
            told: list[Fields] = []
            while not told or told[-1]["text"] != "the last word":
                told.append(back.receive() or {})
    assert sum(len(one["text"]) for one in told if one["kind"] == "history") < JOINING_BYTES
    assert {one["room"] for one in told if one.get("code") == "missed"} == set(rooms)
    assert {one["room"] for one in told if one["kind"] == "history"} == set(rooms)


def test_a_guest_comes_back_to_a_server_that_was_started_anew(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "bob") as (bob,):
        bob.line("hello")
        seen = bob.until("say")["id"]
        bob.line("missed")
        bob.until("say", text="missed")
    with served(tmp_path) as run, client(run) as back, client(run) as other:
        back.send(kind="resume", token=bob.token, seen={"#lobby": seen}, name="bob")
        back.expect("ask")
        assert back.expect("token")["token"] != bob.token
        back.expect("welcome", name="bob")
        back.ready()
        assert "more" not in back.expect("history", text="missed")
        other.send(kind="resume", token=bob.token, name="BOB")
        other.expect("ask")
        other.expect("error", code="name_taken")
        other.enter("carl")


def test_a_guests_token_ends_after_ten_minutes(tmp_path: Path) -> None:
    assert DEFAULT.guest_token_s == 600
    with served(tmp_path, limits=ChatLimits(guest_token_s=0.0)) as run:
        with client(run) as ann:
            ann.enter("ann").ready()
        run.sink.wait_for("member_left")
        chat = run.server._service
        assert isinstance(chat, Chat)
        wait_until(lambda: chat.members.find_departed("ann") is None)
        with client(run) as back:
            back.send(kind="resume", token=ann.token)
            back.expect("ask")
            back.expect("error", code="bad_token")
            back.enter("ann")


@pytest.mark.parametrize("seen", [None, [], "x", {"#lobby": "x"}, {"#lobby": -1}, {"nowhere": 5}, {"#lobby": 10**30}])
def test_junk_in_a_resume(tmp_path: Path, seen: Any) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,), client(run) as back:
        back.send(kind="resume", token=ann.token, seen=seen)
        back.expect("ask")
        back.expect("token")
        back.expect("welcome")
        back.until("members", room="#lobby")
        assert not run.sink.named("service_failed")


def test_a_guest_that_wants_no_token_gets_none(tmp_path: Path) -> None:
    with served(tmp_path) as run, run.client() as sock:
        ann = ChatClient(sock, hello=False)
        ann.send(kind="hello", session=False)
        ann.expect("ask")
        ann.line("ann")
        ann.expect("welcome")


# With accounts.


def test_only_users_get_in_and_their_names_are_theirs(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, auth=True) as run, client(run) as ann, client(run) as bob:
        ann.log_in("ann").ready()
        bob.log_in("bob").ready()
        ann.line("/nick Bob")
        ann.until("error", code="name_taken")
        ann.line("/nick zoe")
        bob.until("renamed", name="zoe")
        bob.line("/nick ann")
        bob.until("error", code="name_taken")  # the account of somebody else, whoever is called so
        bob.line("/whois zoe")
        assert "zoe is logged in as ann" in bob.until("notice", code="whois")["text"]
        ann.line("/nick ANN")
        bob.until("renamed", name="ANN")
        accounts.disable("ann")
        ann.until("bye", reason="session_ended")
        bob.until("left", name="ANN")


def test_nothing_is_said_for_a_login_that_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    close, asked = MessagePeer.close, threading.Event()

    def close_later(self: MessagePeer, reason: Reason = DisconnectReason.SERVER_CLOSED) -> None:
        if reason is SESSION_ENDED:  # as when the event thread has much else to do
            asked.set()
        else:
            close(self, reason)

    monkeypatch.setattr(MessagePeer, "close", close_later)
    rules = ChatRules(flood=(4, 10))
    with served(tmp_path, rules, auth=True) as run, client(run) as ann, client(run) as bob:
        bob.log_in("bob").ready()
        ann.log_in("ann").ready()
        ann.sock.sendall(b"".join(framed(kind="line", text=f"before {number}") for number in range(20)))
        ann.until("notice", code="held_back")
        accounts.disable("ann")
        assert asked.wait(2), "it is asked for within 2 s"
        ann.line("after")
        for number in range(30):  # which takes longer than ann's messages would
            bob.line(f"bob {number}")
        said = set()
        while (one := bob.receive()) is not None and one.get("text") != "bob 29":
            said.add(one["text"])
        assert "before 0" in said
        assert not said & {"before 19", "after"}


def test_one_account_from_several_places_is_one_member(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, auth=True) as run, client(run) as bob, client(run) as here:
        bob.log_in("bob").ready()
        here.log_in("ann").ready()
        bob.until("joined", name="ann")
        here.line("/join dev")
        here.until("members", room="#dev")
        with client(run) as there:
            there.log_in("ann")
            assert {there.until("members")["room"] for _ in range(2)} == {"#lobby", "#dev"}
            here.line("/join lobby")
            here.until("notice", code="room")
            here.line("from here")
            there.until("say", text="from here")
            bob.until("say", text="from here")
            bob.line("/who")
            assert bob.until("members")["members"] == ["bob", "ann"]
            bob.line("/msg ann to both")
            for place in (here, there):
                place.until("say", private=True, text="to both")
            there.line("/nick anna")
            here.until("renamed", name="anna")
        bob.until("renamed", name="anna")
        bob.nothing_but("say")
        here.send(kind="bye")
        bob.until("left", name="anna")


def test_each_place_speaks_where_it_wants_to(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, auth=True) as run, client(run) as here, client(run) as there:
        here.log_in("ann").ready()
        there.log_in("ann").ready()
        here.line("/join dev")
        for place in (here, there):
            place.until("members", room="#dev")
        there.until("notice", code="room", room="#lobby")
        there.line("still in the lobby")
        here.until("say", room="#lobby", text="still in the lobby")
        here.line("in there")
        there.until("say", room="#dev", text="in there")
        here.line("/leave lobby")
        there.expect("left", name="ann", room="#lobby", text="You left #lobby.")
        there.expect("notice", code="room", room="#dev")
        there.nothing_but()


def test_a_place_that_goes_while_another_one_joins_leaves_nothing_behind(tmp_path: Path) -> None:
    chat = Chat(tmp_path, RULES)
    ann, _ = chat.members.add_user("ann", lambda: Member("ann", since=utc_now(), account="ann"))
    ann.arriving += 1
    here, there = (RemoteClient(Silent(), ann, seen={}, now=0) for _ in range(2))
    for remote in (here, there):
        remote.peer.state = remote
        chat.members.attach(remote)
    with running(chat):
        for remote in (here, there):
            chat.watched(remote.peer)
        places_of = chat.members.list_clients

        def places_of_a_moment_ago(member: Member) -> list[Client]:
            places = places_of(member)
            if there in places:
                chat.left(there.peer, DisconnectReason.CLIENT_EXIT)
            return places

        chat.members.list_clients = places_of_a_moment_ago  # type: ignore[method-assign]
        chat.received(here.peer, [message("line", "/join dev")])
        room = chat.rooms.find("#dev")
        assert room is not None
        assert room.names == ["ann"]
        assert here in room._audience
        assert there not in room._audience
        chat.received(here.peer, [message("line", "/leave dev")])
        chat.left(here.peer, DisconnectReason.CLIENT_EXIT)
        assert room.is_empty
        assert not room._audience


def test_a_place_goes_on_speaking_where_it_did(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, auth=True) as run, client(run) as here:
        here.log_in("ann").ready()
        here.line("/join dev")
        here.until("members", room="#dev")
        with client(run) as back:
            back.send(kind="resume", token=here.token, seen={"#dev": 0, "#lobby": 0})
            back.expect("ask")
            back.until("welcome", room="#lobby")
            back.line("hello")
            assert back.until("say")["room"] == "#lobby"


def test_what_was_heard_is_not_missed_at_the_next_coming(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None, history=30)) as run, members(run, "ann") as (ann,):
        ann.line("one")
        seen = ann.until("say")["id"]
        with client(run) as back:
            back.resume(ann.token, lobby=seen)
            back.ready()
            back.sock.sendall(framed(kind="line", text="more") * 50)
            for _ in range(50):
                back.until("say")
            for line in ("/leave lobby", "/join lobby"):
                back.line(line)
            back.until("members")
            told = [back.expect("history") for _ in range(20)]
            assert "more" not in told[-1]


def test_a_user_comes_back_with_its_wishes(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, auth=True) as run, client(run) as bob:
        bob.log_in("bob").ready()
        with client(run) as ann:
            ann.log_in("ann").ready()
            ann.line("/ignore bob")
            ann.until("notice", code="ignore")
        bob.until("left", name="ann")
        with client(run) as ann:
            ann.log_in("ann").ready()
            ann.line("/ignore")
            ann.until("notice", code="ignore", ignored=["bob"])


def test_a_user_comes_back_by_token_with_what_it_has_seen(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, auth=True) as run, client(run) as bob:
        bob.log_in("bob").ready()
        with client(run) as ann:
            ann.log_in("ann").ready()
            bob.line("one")
            seen = ann.until("say")["id"]
        bob.until("left", name="ann")
        bob.line("two")
        bob.until("say", text="two")
        with client(run) as back:
            back.resume(ann.token, lobby=seen)
            assert back.expect("token")["token"] != ann.token
            back.expect("welcome", user="ann")
            back.ready()
            assert "more" not in back.expect("history", text="two")


# Operators.

OPERATED = ChatRules(flood=None, operators=frozenset({"ann"}))


@contextlib.contextmanager
def operated(data_dir: Path) -> Iterator[tuple[Running, ChatClient, ChatClient]]:
    """Serve a chat with the operator ann, and bob."""
    accounts_at(data_dir, "ann", "bob", "carl")
    with served(data_dir, OPERATED, auth=True) as run, client(run) as ann, client(run) as bob:
        ann.log_in("ann").ready()
        bob.log_in("bob").ready()
        ann.until("joined", name="bob")
        yield run, ann, bob


def test_a_kicked_member_may_come_back(tmp_path: Path) -> None:
    with operated(tmp_path) as (run, ann, bob):
        bob.line("/kick ann")
        bob.until("error", code="unknown_command")
        ann.line("/help kick")
        ann.until("notice", code="help")
        ann.line("/kick nobody")
        ann.until("error", code="bad_command")
        ann.line("/kick BOB too loud")
        bob.until("notice", text="ann put bob out: too loud", code="announcement")
        bob.until("bye", reason="kicked")
        ann.until("left", name="bob", reason="put out")
        assert [event.did for event in run.sink.named("operator_acted")] == ["ann put bob out: too loud"]
        with client(run) as back:
            back.log_in("bob").ready()


def test_a_banned_member_may_not(tmp_path: Path) -> None:
    with operated(tmp_path) as (run, ann, bob):
        ann.line("/ban bob 1h")
        ann.until("notice", code="announcement")
        bob.until("bye", reason="banned")
        ann.until("left", name="bob", reason="banned")
        refused_in(run, "bob")
        ann.line("/unban bob")
        ann.until("notice", code="announcement")
        ann.line("/unban bob")
        ann.until("error", code="bad_command")
        with client(run) as back:
            back.log_in("bob").ready()
        ann.line("/ban carl")
        ann.until("notice", text="ann banned carl (account carl).")
        ann.line("/ban bob soon")
        ann.until("error", code="bad_command")
    with served(tmp_path, OPERATED, auth=True) as run:
        refused_in(run, "carl")
        with client(run) as back:
            back.log_in("bob").ready()


def refused_in(run: Running, name: str) -> None:
    with client(run) as back:
        back.expect("ask")
        back.line(name)
        back.expect("ask")
        back.line(PASSWORD)
        back.expect("token")
        back.expect("error", code="banned")
        back.expect("bye", reason="banned")


def test_an_address_is_banned(tmp_path: Path) -> None:
    with operated(tmp_path) as (run, ann, _), client(run, source="127.0.0.9") as far:
        far.log_in("carl").ready()
        ann.line("/whois carl")
        assert ann.until("notice", code="whois")["addresses"] == ["127.0.0.9"]
        ann.line("/ban 127.0.0.8/31")
        ann.until("notice", text="ann banned 127.0.0.8/31.")
        far.until("bye", reason="banned")
        for source in ("127.0.0.8", "127.0.0.9"):
            with frame_client(run.port, source=source) as other:
                other.expect("error", code="banned")
                other.expect("bye", reason="banned")
        ann.line("/unban 127.0.0.8/31")
        ann.until("notice", code="announcement")
        with frame_client(run.port, source="127.0.0.9") as other:
            other.expect("ask")


def test_a_muted_member_reads_only(tmp_path: Path) -> None:
    with operated(tmp_path) as (_, ann, bob):
        ann.line("/mute bob 10m")
        bob.until("notice", code="announcement")
        for line in ("hello", "/me waves", "/msg ann psst", "/topic mine", "/nick bobby"):
            bob.line(line)
            assert "read only" in bob.until("error", code="bad_command")["text"]
        bob.line("/who")
        bob.until("members")
        ann.line("/unmute bob")
        bob.until("notice", code="announcement")
        bob.line("hello")
        ann.until("say", sender="bob", text="hello")
        ann.line("/unmute bob")
        ann.until("error", code="bad_command")
        ann.line("/announce Tea at five")
        bob.until("notice", text="ann announces: Tea at five", code="announcement")


# The server's own terminal.


def test_the_operator_at_the_terminal_reads_along_and_types(tmp_path: Path) -> None:
    shown: list[str] = []
    chat = Chat(tmp_path, RULES)
    typed = chat.open_console(shown.append)
    with running(chat) as run, members(run, "ann") as (ann,):
        wait_until(lambda: "ann joined #lobby." in shown)
        ann.line("hello")
        wait_until(lambda: "<ann> hello" in shown)
        typed("hello ann")
        ann.until("say", sender="server", text="hello ann")
        assert "<server> hello ann" not in shown, "no copy on lines"
        ann.line("/join dev")
        wait_until(lambda: any("#dev" in line for line in shown))
        ann.until("members", room="#dev")
        ann.line("in there")
        wait_until(lambda: "#dev <ann> in there" in shown)
        ann.line("/msg server are you there?")
        wait_until(lambda: "(private) <ann> are you there?" in shown)
        typed("/reply yes")
        ann.until("say", private=True, sender="server", text="yes")
        typed("/join dev")
        ann.until("joined", room="#dev", name="server")
        typed("/leave dev")
        ann.until("left", room="#dev", name="server")
        ann.line("still heard")
        wait_until(lambda: "#dev <ann> still heard" in shown)
        typed("/quit")
        assert shown[-1] == "Ctrl-C ends the server."
        for line in ("/kick server", "/mute server"):
            typed(line)
            assert shown[-1] == "server is the terminal of the server: it stays."
        typed("/whois server")
        assert shown[-1].endswith(" At the terminal of the server.")
        typed("/kick ann")
        ann.until("bye", reason="kicked")
        wait_until(lambda: any(line.startswith("ann left #lobby") for line in shown))


# Across a restart.


def test_history_topics_and_mutes_outlast_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line("/topic Tea")
        for number in range(3):
            ann.line(f"said {number}")
        last = ann.until("say", text="said 2")["id"]
        ann.line("/join dev")
        ann.until("members", room="#dev")
        ann.line("/me codes")
        ann.until("say", room="#dev")
    with served(tmp_path) as run, client(run) as bob:
        bob.enter("bob")
        bob.expect("joined", room="#lobby")
        bob.expect("notice", code="topic", topic="Tea")
        bob.ready()
        assert [bob.expect("history")["text"] for _ in range(3)] == ["said 0", "said 1", "said 2"]
        bob.line("and on")
        assert bob.until("say")["id"] > last
        bob.line("/join dev")
        bob.until("history", room="#dev", text="codes", action=True)


def test_what_an_older_version_has_kept_is_told_without_what_is_hidden_today(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line("/topic Teatime")
        ann.line("zerowidth")
        ann.until("say")
    for name, text in (("chat.json", "Teatime"), ("chat-history.jsonl", "zerowidth")):
        file = tmp_path / name
        file.write_text(file.read_text().replace(text, f"{text[:4]}\u200b\u00ad{text[4:]}"))
    with served(tmp_path) as run, client(run) as bob:
        bob.enter("bob")
        bob.until("notice", code="topic", topic="Teatime")
        bob.until("history", text="zerowidth")


def test_a_chat_without_history(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None, history=0)) as run, members(run, "ann") as (ann,):
        ann.line("hello")
        ann.until("say")
        ann.line("/history")
        assert "Nothing that was said in #lobby is remembered" in ann.until("notice", code="history")["text"]


def test_what_can_not_be_kept_is_told(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        chat = run.server._service
        assert isinstance(chat, Chat)
        chat._report_failure("No space left on device.", 3)
        chat._report_recovery(2)
        assert run.sink.wait_for("chat_unkept")[0].messages == 3
        assert run.sink.wait_for("chat_kept_again")[0].lost == 2
        ann.nothing_but()


def test_a_reason_for_everybody(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        bob.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: closing sends a reset
        bob.sock.close()
        ann.until("left", name="bob", reason="connection lost")
        assert run.sink.wait_for("member_left")[0].reason == DisconnectReason.CLIENT_RESET
