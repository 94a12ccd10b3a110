"""The rooms that there are: who may make how many, which go for others, and what is remembered of them all."""

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.errors import CommandError
from sockctl.services.chat.member import Member
from sockctl.services.chat.room import Room
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.settings import ChatLimits
from sockctl.services.chat.store import ChatStore
from sockctl.stores.timestamps import read_utc_clock
from tests.support.chat_history import ids
from tests.support.chat_room import Played
from tests.support.running import wait_until

AT = "2026-01-31T12:00:00Z"
DAY_S = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChatStore]:
    store = ChatStore(tmp_path, history=1_000, on_failure=lambda why, _: pytest.fail(why))
    yield store
    store.close()


class Ticking(RoomRegistry):
    """Rooms that say when their last tick was."""

    now = 0.0

    def tick(self, now: float) -> None:
        self.now = now
        super().tick(now)


def rooms_of(store: ChatStore, history: int = 1_000, **limits: float) -> Ticking:
    """Return the rooms, with what is kept."""
    kept = store.start()
    rooms = Ticking(fixed=(), stored=kept, history=history, store=store, limits=ChatLimits(**limits))  # type: ignore[arg-type]  # some are whole
    rooms.tick(time.monotonic())
    return rooms


def client_at(address: str, account: str = "", *, operator: bool = False) -> Played:
    client = Played("ann", member=Member("ann", since=read_utc_clock(), account=account, operator=operator))
    client.address = address
    return client


def say(room: Room, count: int, size: int = 1_000) -> None:
    for number in range(count):
        room.say(Played("ann"), [f"{number:>{size}}"], AT)
        room.process_pending()


@pytest.mark.parametrize(
    ("first", "other", "is_free"),
    [
        (("192.0.2.7", ""), ("192.0.2.7", ""), False),
        (("192.0.2.7", ""), ("192.0.2.8", ""), True),
        (("2001:db8::1", ""), ("2001:db8::ffff", ""), False),
        (("2001:db8::1", ""), ("2001:db8:0:1::1", ""), True),
        (("192.0.2.7", "ann"), ("192.0.2.8", "ann"), False),
        (("192.0.2.7", "ann"), ("192.0.2.7", "bob"), False),
        (("192.0.2.7", "ann"), ("192.0.2.8", "bob"), True),
        (("", ""), ("", ""), True),
    ],
)
def test_rooms_are_counted_for_who_makes_them(
    store: ChatStore, first: tuple[str, str], other: tuple[str, str], is_free: bool
) -> None:
    rooms = rooms_of(store, rooms_at_once=2, room_every_s=1_000)
    for number in range(2):
        rooms.open(f"#room{number}", by=client_at(*first))
    rooms.open("#room1", by=client_at(*other))  # which is there
    if is_free:
        rooms.open("#another", by=client_at(*other))
    else:
        with pytest.raises(CommandError, match="You make rooms too fast"):
            rooms.open("#another", by=client_at(*other))
        rooms.open("#another", by=client_at(*other, operator=True))


def test_after_a_while_another_room_may_be_made(store: ChatStore) -> None:
    rooms = rooms_of(store, rooms_at_once=1, room_every_s=0.001)
    for number in range(3):
        while True:
            try:
                rooms.open(f"#room{number}", by=client_at("192.0.2.7"))
                break
            except CommandError:
                continue


def test_a_room_in_which_nothing_was_said_goes_first_and_a_used_one_never(store: ChatStore) -> None:
    rooms = rooms_of(store, max_rooms=4)
    for name in ("#said", "#silent", "#also"):
        rooms.open(name)
    say(rooms.open("#said"), 1)
    say(rooms.open("#also"), 1)
    rooms.open("#new")
    assert [room.name for room in rooms.list_all()] == ["#lobby", "#said", "#also", "#new"]
    say(rooms.open("#new"), 1)
    rooms.tick(rooms.now + DAY_S / 2)
    with pytest.raises(CommandError, match="There are 4 rooms already"):
        rooms.open("#more")
    also, guest = rooms.open("#also"), Played("guest")
    also.join(guest, new=True, after=-1)
    also.process_pending()
    rooms.tick(rooms.now + DAY_S / 4)
    also.leave(guest, reason="left")
    also.process_pending()
    rooms.tick(rooms.now + DAY_S / 3)
    rooms.open("#more")
    assert [room.name for room in rooms.list_all()] == ["#lobby", "#also", "#new", "#more"]


def test_a_room_that_is_made_again_has_larger_ids_and_no_history(store: ChatStore) -> None:
    rooms = rooms_of(store, max_rooms=2)
    one = rooms.open("#one")
    one.last_id += 10**9
    say(one, 1)
    last_id = one.last_id
    rooms.tick(rooms.now + 2 * DAY_S)
    rooms.open("#two")
    rooms.tick(rooms.now + 2 * DAY_S)
    again = rooms.open("#one")
    assert again is not one
    assert again.last_id >= last_id
    assert not again.remembered


def test_a_stranger_who_makes_rooms_takes_nothing_from_the_others(store: ChatStore) -> None:
    rooms = rooms_of(store, history_bytes=100_000)
    lobby = rooms.open("#lobby")
    say(lobby, 20)
    for number in range(40):
        say(rooms.open(f"#room{number}"), 5)
        rooms.tick(rooms.now + 1)
    assert lobby.remembered == 20
    held = sum(room.history_bytes for room in rooms.list_all())
    assert held == rooms.budget.used_bytes <= 100_000
    say(lobby, 20)
    assert lobby.remembered in range(19, 22), "what it says goes for what it said"


def test_what_was_said_in_the_room_that_is_unused_for_longest_goes_first(store: ChatStore) -> None:
    rooms = rooms_of(store, history_bytes=100_000)
    for name in ("#oldest", "#old", "#used"):
        say(rooms.open(name), 24)
        rooms.tick(rooms.now + 10)
        rooms.open(name).used_at = rooms.now
    used = rooms.open("#used")
    used.join(Played("guest"), new=True, after=-1)
    used.process_pending()
    rooms.tick(rooms.now + DAY_S)
    assert [rooms.open(name).remembered for name in ("#oldest", "#old", "#used")] == [0, 24, 24]
    say(rooms.open("#lobby"), 25)
    assert rooms.open("#lobby").remembered == 25


def test_a_full_memory_leaves_each_room_its_share(store: ChatStore, tmp_path: Path) -> None:
    rooms = rooms_of(store, history_bytes=100_000, max_rooms=10)
    for number in range(4):
        say(rooms.open(f"#full{number}"), 40)
    lobby = rooms.open("#lobby")
    for _ in range(8):
        say(lobby, 1)
        rooms.tick(rooms.now + 1)
    assert lobby.remembered == 7, "the share of a room is 10,000 bytes"
    assert all(rooms.open(f"#full{number}").remembered >= 7 for number in range(4))
    held = sum(room.history_bytes for room in rooms.list_all())
    assert held == rooms.budget.used_bytes <= 100_000
    history = tmp_path / "chat-history.jsonl"
    wait_until(lambda: history.exists() and ids(history).get("#lobby", [0])[-1] == lobby.last_id)
    history.unlink()  # with the next message, the file is written anew
    say(rooms.open("#last"), 1)
    store.close()
    kept = {name: len(own) for name, own in ids(history).items()}
    assert kept == {room.name: room.remembered for room in rooms.list_all()}, "the file gives way as well"


def test_the_last_message_stays_where_there_is_room_for_none(store: ChatStore) -> None:
    rooms = rooms_of(store, history_bytes=10)
    say(rooms.open("#lobby"), 3)
    assert rooms.open("#lobby").remembered == 0
    heard = Played("bob")
    rooms.open("#lobby").join(heard, new=True, after=-1)
    say(rooms.open("#lobby"), 1)
    assert len(heard.of("say")) == 1, "it is said all the same"


def test_a_history_takes_no_more_than_is_counted(store: ChatStore) -> None:
    rooms = rooms_of(store, history=5_000)
    room, client = rooms.open("#lobby"), Played("ann")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(5_000):
        room.say(client, ["x"], AT)
        room.process_pending()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert held < room.history_bytes * 1.1
