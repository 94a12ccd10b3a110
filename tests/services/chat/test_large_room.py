"""A crowded room: comings, goings and renamings in sums, members by pages, and what one more member costs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.services.chat.history import History, HistoryBudget
from sockctl.services.chat.roll_call import LISTED_AT_ONCE
from sockctl.services.chat.room import Room
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.chat.store import ChatStore
from tests.support.chat_client import client, members
from tests.support.chat_room import Played, enter, leave
from tests.support.running import Running, running

AT = "2026-01-31T12:00:00Z"
MOST = 3
LIMITS = ChatLimits(told_singly=MOST, sum_every_s=0.05)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Running]:
    with running(Chat(folder, ChatRules(flood=None), limits=LIMITS)) as run:
        yield run


def large_room(
    folder: Path, count: int, *, framed: bool = True, limits: ChatLimits = LIMITS
) -> tuple[Room, list[Played]]:
    """Return a room with so many members, who have heard that all of them are there."""
    store = ChatStore(folder, history=0, on_failure=lambda _why, _count: None)
    room = Room(
        "#lobby", store=store, history=History(max_messages=10), last_id=0, limits=limits, budget=HistoryBudget(1 << 30)
    )
    chatters = [Played(f"m{number}", framed=framed) for number in range(count)]
    for chatter in chatters:
        enter(room, chatter)
    room.tell_sums()
    for chatter in chatters:
        chatter.data.clear()
    return room, chatters


def test_in_a_small_room_each_is_told_and_in_a_crowded_one_sums(tmp_path: Path) -> None:
    room, (ann, *_) = large_room(tmp_path, MOST - 1)
    guests = [Played(f"guest{number}") for number in range(4)]
    enter(room, guests[0])
    assert [(one["kind"], one["name"]) for one in ann.messages] == [("joined", "guest0")]
    ann.data.clear()
    for guest in guests[1:]:
        enter(room, guest)
    leave(room, guests[1])
    assert not ann.data
    room.tell_sums()
    assert [(one["kind"], one["count"], one["text"]) for one in ann.messages] == [
        ("joined", 3, "3 joined #lobby."),
        ("left", 1, "1 left #lobby."),
    ]
    assert all("name" not in one and one["room"] == "#lobby" for one in ann.messages)
    ann.data.clear()
    room.tell_sums()
    assert not ann.data, "each is told once"


def test_nothing_is_told_before_a_sum_that_came_before_it(tmp_path: Path) -> None:
    room, (ann, bob, *_) = large_room(tmp_path, MOST)
    guest = Played("guest")
    enter(room, guest)
    leave(room, bob)
    leave(room, guest)  # there is room again, and the sum still to be told
    room.tell_sums()
    assert [(one["kind"], one["count"]) for one in ann.messages] == [("joined", 1), ("left", 2)]
    enter(room, bob)
    assert [one.get("name") for one in ann.of("joined")] == [None, "m1"]


def test_who_comes_into_a_crowded_room_is_told_how_many_are_there(tmp_path: Path) -> None:
    room, _ = large_room(tmp_path, MOST)
    room.say(Played("ann"), ["before"], AT)
    room.process_pending()
    guest, liner = Played("guest"), Played("liner", framed=False)
    enter(room, guest)
    (told,) = guest.of("members")
    assert (told["count"], told["members"]) == (MOST + 1, [])
    enter(room, liner)
    assert liner.lines[1] == f"In #lobby: {MOST + 2} members; /who lists them, {LISTED_AT_ONCE} a page."
    room.say(guest, ["after"], AT)
    room.process_pending()
    assert [one["text"] for one in guest.of("history", "say")] == ["before", "after"]


def test_sums_are_hidden_from_whoever_is_quiet(tmp_path: Path) -> None:
    room, (ann, bob, *_) = large_room(tmp_path, MOST)
    ann.member.quiet = True
    enter(room, Played("guest"))
    room.tell_sums()
    assert not ann.data
    assert [one["kind"] for one in bob.messages] == ["joined"]


def test_one_more_member_costs_a_crowded_room_the_same_however_many_are_there(tmp_path: Path) -> None:
    room, chatters = large_room(tmp_path, 2_000)
    guest = Played("guest")
    enter(room, guest)
    leave(room, guest)
    assert not any(chatter.data for chatter in chatters), "nobody is sent anything"
    assert len(guest.data) < 500
    room.tell_sums()
    assert len({bytes(chatter.data) for chatter in chatters}) == 1
    assert len(chatters[0].of("joined", "left")) == len(chatters[0].messages) == 2


def test_a_new_name_in_a_crowded_room(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(MOST + 1)]
    with served(tmp_path) as run, contextlib.ExitStack() as stack:
        here = [stack.enter_context(client(run)).enter(name).ready() for name in names]
        here[-1].until("joined", count=1)
        here[0].line("/join dev")
        here[0].until("members", room="#dev", members=["m0"])
        here[0].line("/nick zoe")
        here[0].until("renamed", before="m0", name="zoe")
        here[0].until("renamed", room="#lobby", count=1, text="1 in #lobby took another name.")
        here[1].until("renamed", room="#lobby", count=1)
        here[1].line("/who")
        assert here[1].until("members", page=1)["members"] == [*names[1:], "zoe"]


def test_members_by_pages(tmp_path: Path) -> None:
    count = 2 * LISTED_AT_ONCE + 1
    room, chatters = large_room(tmp_path, count)
    names: list[str] = []
    for page in (1, 2, 3):
        chatters[0].data.clear()
        room.info.tell_who(chatters[0], page)
        (told,) = chatters[0].messages
        assert (told["page"], told["pages"], told["count"]) == (page, 3, count)
        assert told["text"].startswith(f"{count} in #lobby, page {page} of 3: ")
        names += told["members"]
    assert names == sorted(room.names)


def test_who_asks_for_a_page(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/who")
        assert "page" not in ann.until("members"), "a small room is told as a whole"
        ann.line("/who lobby 1")
        assert ann.until("members", page=1, pages=1, count=2)["members"] == ["ann", "bob"]
        ann.line("/who 1")
        ann.until("members", room="#lobby", page=1)
        ann.line("/who 2")
        assert ann.until("error", code="bad_command")["text"] == "#lobby has 1 page of members."
        ann.line("/who lobby x")
        assert "'x' is no number of pages" in ann.until("error", code="bad_command")["text"]
        bob.line("/join 2")
        bob.until("members", room="#2")
        ann.line("/who #2")
        ann.until("members", room="#2", members=["bob"])


@pytest.mark.parametrize("framed", [True, False])
def test_many_who_come_at_once_are_told_nothing_of_each_other(tmp_path: Path, framed: bool) -> None:
    room, chatters = large_room(tmp_path, MOST)
    guests = [Played(f"guest{number}", framed=framed) for number in range(300)]
    for guest in guests:
        room.join(guest, new=True, after=-1)
    room.process_pending()
    assert not any(chatter.data for chatter in chatters)
    assert max(len(guest.data) for guest in guests) < 500
    assert room.count == MOST + 300


@pytest.mark.parametrize("framed", [True, False])
def test_what_was_said_before_is_encoded_once_for_many(tmp_path: Path, framed: bool) -> None:
    room, (ann, *_) = large_room(tmp_path, MOST)
    room.say(ann, ["one", "two"], AT)
    guests = [Played(f"guest{number}", framed=number % 2 == 0) for number in range(4)]
    guests[2].member.ignored = frozenset({"m0"})
    for guest in guests:
        enter(room, guest)
    assert [one["text"] for one in guests[0].of("history")] == ["one", "two"]
    assert [one.get("more") for one in guests[0].of("history")] == [True, None]
    assert not guests[2].of("history")
    assert guests[1].lines[-2:] == guests[3].lines[-2:]
    assert guests[1].lines[-1].endswith("<m0> two")
    room.say(ann, ["three"], AT)
    room.tell_sums()
    late = Played("late", framed=framed)
    enter(room, late)
    assert late.data.count(b"three") == 1
    assert late.data.count(b"one") == 1
