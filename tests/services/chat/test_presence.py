"""Members that are away, and members that type."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.protocol.messages import make_message
from sockctl.services.chat.bans import Target
from sockctl.services.chat.room_event import RoomEvent
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from tests.support.bans import add_ban
from tests.support.chat_client import ChatClient, chat_of, client, members, served
from tests.support.chat_room import AT, Played, enter, room_at
from tests.support.frames import Fields, framed
from tests.support.running import Running

RULES = ChatRules(flood=None)


@contextlib.contextmanager
def seeing(run: Running, name: str) -> Iterator[ChatClient]:
    """Let a member come that shows who types."""
    with run.client() as sock:
        one = ChatClient(sock, hello=False)
        one.send(kind="hello", can=["typing"])
        yield one.enter(name).ready()


def forget_mark(run: Running, name: str) -> None:
    chat_of(run).members.get(name).typed_at -= 2


def test_away_and_back(tmp_path: Path) -> None:
    with served(tmp_path, RULES) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/away")
        assert "not away" in ann.until("notice", code="away", away="")["text"]
        ann.line("/away  at lunch ")
        assert ann.until("notice", code="away", away="at lunch")["text"] == "You are away: at lunch"
        bob.line("/msg ann psst")
        bob.until("say", private=True)
        told = bob.until("notice", code="away")
        assert (told["text"], told["name"], told["away"]) == ("ann is away: at lunch", "ann", "at lunch")
        bob.line("/who")
        assert bob.until("members")["text"] == "2 in #lobby: ann (away: at lunch), bob"
        bob.line("/whois ann")
        assert bob.until("notice", code="whois")["text"].endswith(" Away: at lunch")
        ann.line("/who")
        ann.until("members")
        bob.nothing_but()
        ann.line("/away " + "x" * 101)
        assert ann.until("error")["text"] == "Your away text has 101 characters: 100 fit. It was not set."
        ann.line("/away")
        assert ann.until("notice", code="away", away="")["text"] == "You are back."


@pytest.mark.parametrize("says", ["hello", "/me waves", "/msg bob psst", "/msg ann note", "block"])
def test_who_says_something_is_back(tmp_path: Path, says: str) -> None:
    with served(tmp_path, RULES) as run, members(run, "ann", "bob") as (ann, _):
        ann.line("/away lunch")
        ann.until("notice", code="away", away="lunch")
        ann.send(**({"kind": "block", "lines": ["a", "b"]} if says == "block" else {"kind": "line", "text": says}))
        assert ann.until("notice", code="away", away="")["text"] == "You are back."
        ann.line("/whois ann")
        assert "away" not in ann.until("notice", code="whois")


def test_who_is_refused_stays_away(tmp_path: Path) -> None:
    with served(tmp_path, RULES) as run, members(run, "ann") as (ann,):
        ann.line("/away lunch")
        ann.line("x" * 5_000)
        ann.send(kind="block", lines=["x"] * 201)
        ann.line("/me")
        ann.line("/whois ann")
        assert ann.until("notice", code="whois")["away"] == "lunch"


def test_a_resumed_guest_is_still_away(tmp_path: Path) -> None:
    with served(tmp_path, RULES) as run:
        with members(run, "ann") as (ann,):
            ann.line("/away lunch")
            ann.until("notice", code="away")
            token = ann.token
        run.sink.wait_for("member_left")
        with client(run) as again:
            again.resume(token)
            again.until("members")
            again.line("/who")
            assert "ann (away: lunch)" in again.until("members", count=1)["text"]


def test_typing_is_told_to_those_that_show_it(tmp_path: Path) -> None:
    with (
        served(tmp_path, RULES) as run,
        seeing(run, "ann") as ann,
        seeing(run, "bob") as bob,
        members(run, "carl") as (carl,),
    ):
        bob.sock.sendall(framed(kind="typing") * 2)
        bob.line("hello")
        assert ann.until("typing") == {
            "kind": "typing",
            "text": "bob is typing.",
            "room": "#lobby",
            "sender": "bob",
        }
        ann.expect("say", text="hello")
        carl.expect("say", text="hello")
        bob.nothing_but("joined", "say")
        forget_mark(run, "bob")
        bob.send(kind="typing")
        ann.expect("typing")
        ann.line("/ignore bob")
        ann.expect("notice", code="ignore")
        forget_mark(run, "bob")
        bob.send(kind="typing")
        bob.line("/who")
        bob.until("members")
        ann.nothing_but()
        assert (
            not (tmp_path / "chat-history.jsonl").exists()
            or b"typing" not in (tmp_path / "chat-history.jsonl").read_bytes()
        )


def test_typing_is_no_news_in_a_large_room_nor_of_who_is_muted(tmp_path: Path) -> None:
    chat = Chat(tmp_path, RULES, limits=ChatLimits(told_singly=3))
    try:
        shown: list[Fields] = []
        chat.open_console(lambda one: shown.append(one.fields))
        room = chat.rooms.open("#lobby")
        ann = Played("ann", can=["typing"])
        ann.room = "#lobby"
        chat.members.add_guest(ann.member)
        chat.members.attach(ann)
        room.join(ann, new=True, after=-1)
        room.process_pending()

        def types() -> int:
            shown.clear()
            ann.member.typed_at -= 2
            chat._lines.process(ann, [make_message("typing")])
            room.process_pending()
            return sum(one["kind"] == "typing" for one in shown)

        assert types() == 1
        mutes = chat._moderation._state.mutes
        add_ban(mutes, Target(name="ann", guest=ann.member.id), by="server")
        assert types() == 0
        mutes.restore(())
        assert types() == 1
        for name in ("x", "y", "z"):
            enter(room, Played(name))
        assert types() == 0
    finally:
        chat._backing.close()


def test_a_client_that_reads_too_slowly_is_told_of_no_typing(tmp_path: Path) -> None:
    class Slow(Played):
        is_backlogged = True

    room = room_at(tmp_path)
    ann, slow, quick = Played("ann"), Slow("slow", can=["typing"]), Played("quick", can=["typing"])
    for one in (ann, slow, quick):
        enter(room, one)
    room.say(ann, ["hello"], AT)
    room.enqueue(RoomEvent(b"\0\0\0\x11" + b'{"kind":"typing"}', b"", sender=ann, key="ann", typing=True))
    room.process_pending()
    assert [one["kind"] for one in slow.of("say", "typing")] == ["say"]
    assert [one["kind"] for one in quick.of("say", "typing")] == ["say", "typing"]


def test_typing_costs_nothing_and_is_never_held_back(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=(3, 10))) as run, members(run, "ann") as (ann,):
        for _ in range(300):
            ann.send(kind="typing")
        for number in range(3):
            ann.line(f"{number}")
        for _ in range(300):
            ann.send(kind="typing")
        ann.line("last")
        while (one := ann.receive()) is not None and one.get("text") != "last":
            assert one["kind"] == "say" or one["code"] == "held_back", one
