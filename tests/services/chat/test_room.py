"""A room alone, with played clients and several threads: one order for all, nothing twice, nothing lost."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock, PropertyMock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import Message, encode_message, format_line, make_message
from sockctl.services.chat.history import MISSED_BYTES, SHOWN, History, HistoryBudget
from sockctl.services.chat.member import NOTHING
from sockctl.services.chat.room import Room
from sockctl.services.chat.room_event import encode_event
from sockctl.services.chat.settings import ChatLimits
from sockctl.services.chat.store import ChatStore
from tests.support.chat_room import Played, enter, leave, room_at, said
from tests.support.running import TIMEOUT_S

AT = "2026-01-31T12:00:00Z"
DEFAULT = ChatLimits()


def line_of(one: Message) -> bytes:
    return format_line(one, unmarked_room="#lobby").encode() + b"\r\n"


def test_frames_stay_frames_while_somebody_stops_to_ignore(tmp_path: Path) -> None:
    room = room_at(tmp_path)
    ann, bob = Played("ann"), Played("bob")
    enter(room, ann)
    enter(room, bob)
    bob.data.clear()
    bob.peer = Mock(outlet=None)
    bob.member = Mock(quiet=False, key="bob", author_key="bob")
    type(bob.member).ignored = PropertyMock(side_effect=[frozenset({"carl"}), *[frozenset()] * 9])
    room.say(ann, ["hello"], AT)
    room.process_pending()
    assert bob.data[4:5] == b"{"
    assert bob.peer.mock_calls == []


def test_nobody_is_always_served_last(tmp_path: Path) -> None:
    room = room_at(tmp_path)
    order: list[int] = []

    class Noting(Played):
        def post_encoded(self, data: bytes) -> None:
            super().post_encoded(data)
            order.append(int(self.member.name))

    count, rounds = 50, 200
    clients = [Noting(str(number)) for number in range(count)]
    for client in clients:
        enter(room, client)
    positions: list[list[int]] = [[] for _ in range(count)]
    for _ in range(rounds):
        order.clear()
        room.say(clients[0], ["hello"], AT)
        room.process_pending()
        assert sorted(order) == list(range(count)), "each once"
        for position, number in enumerate(order):
            positions[number].append(position)
    for of_one in positions:
        assert sum(of_one) / rounds == pytest.approx((count - 1) / 2, abs=1)


@pytest.mark.parametrize("name", ["#lobby", "#dev"])
@pytest.mark.parametrize("action", [False, True])
@pytest.mark.parametrize("text", ["hello", 'Zoë 🦜 "quoted" \\ \t </b>'])
def test_what_is_said_is_encoded_as_any_other_message(tmp_path: Path, name: str, action: bool, text: str) -> None:
    store = ChatStore(tmp_path, history=0, on_failure=lambda _why, _count: None)
    room = Room(
        name, store=store, history=History(max_messages=10), last_id=6, limits=DEFAULT, budget=HistoryBudget(1 << 30)
    )
    ann, frames, lines = Played("ann"), Played("bob"), Played("carl", framed=False)
    for client in (ann, frames, lines):
        enter(room, client)
    frames.data.clear()
    lines.data.clear()
    room.say(ann, [text], AT, action=action)
    room.process_pending()
    one = make_message("say", text, room=name, sender="ann", id=7, at=AT, action=action or None)
    assert frames.data == encode_frame(encode_message(one))
    assert lines.data == line_of(one)


def all_at_once(*calls: Callable[[], None]) -> None:
    """Make each call in a thread of its own, all beginning together."""
    barrier = threading.Barrier(len(calls), timeout=TIMEOUT_S)
    failures: list[BaseException] = []

    def run(call: Callable[[], None]) -> None:
        try:
            barrier.wait()
            call()
        except BaseException as error:  # noqa: BLE001  it is raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert not failures, failures
    assert not any(thread.is_alive() for thread in threads)


def test_one_order_for_all_whoever_speaks_comes_and_goes(  # noqa: C901  several roles at once
    tmp_path: Path,
) -> None:
    room = room_at(tmp_path)
    frames = [Played(f"f{number}") for number in range(8)]
    lines = [Played(f"l{number}", framed=False) for number in range(8)]
    for client in (*frames, *lines):
        enter(room, client)
    speakers = [Played(f"s{number}", framed=number % 2 == 0) for number in range(6)]
    for client in speakers:
        enter(room, client)
    late = [Played(f"late{number}") for number in range(6)]

    def speak(client: Played) -> None:
        for number in range(100):
            room.say(client, [f"{client.member.name} {number}", "and more"] if number % 7 == 0 else ["x"], AT)
            room.process_pending()

    def come_and_go() -> None:
        for number in range(60):
            guest = Played(f"guest{number}", framed=number % 2 == 0)
            enter(room, guest)
            leave(room, guest)

    def come_late() -> None:
        for client in late:
            room.list_history(20)
            enter(room, client)

    all_at_once(*[lambda client=client: speak(client) for client in speakers], come_and_go, come_late)
    heard = [one["id"] for one in frames[0].of("say")]
    count = 6 * (100 + 15)
    assert heard == list(range(1, count + 1)), "ids that grow, and none is missing"
    first = frames[0].of("say", "left")
    assert all(client.of("say", "left") == first for client in frames)
    assert all(client.lines[-count:] == lines[0].lines[-count:] for client in lines)
    told = [one for one in lines[0].lines if "<" in one]
    assert len(told) == count
    assert told == [f"<{one['sender']}> {one['text']}" for one in frames[0].of("say")]
    for client in late:
        ids = [one["id"] for one in client.of("history", "say")]
        assert ids == list(range(ids[0], count + 1)), "history, then what is said: no gap, nothing twice"
        assert len(client.of("history")) <= SHOWN
        kinds = [one["kind"] for one in client.of("history", "say")]
        assert kinds == sorted(kinds), "all history comes first"
    for client in speakers:
        own = [one for one in frames[0].of("say") if one["sender"] == client.member.name]
        assert len(own) == 115
        if client.framed:
            assert client.of("say") == frames[0].of("say"), "its own, once"
        else:
            assert not [one for one in client.lines if one.startswith(f"<{client.member.name}>")]
            assert len([one for one in client.lines if one.startswith("<")]) == count - 115
    assert room.names == [client.member.name for client in (*frames, *lines, *speakers, *late)]


def test_each_joiner_sees_everything_once_however_many_speak(tmp_path: Path) -> None:
    for _ in range(15):
        room = room_at(tmp_path)
        speaker, other = Played("ann"), Played("bob")
        enter(room, speaker)
        joiners = [Played(f"j{number}") for number in range(4)]

        def speak(room: Room = room, client: Played = speaker) -> None:
            for number in range(50):
                room.say(client, [str(number)], AT)
                room.process_pending()

        def speak_too(room: Room = room, client: Played = other) -> None:
            for number in range(50):
                room.say(client, [str(number)] * 3, AT)
                room.process_pending()

        all_at_once(speak, speak_too, *[lambda client=client, room=room: enter(room, client) for client in joiners])
        for client in joiners:
            ids = [one["id"] for one in client.of("history", "say")]
            assert ids == list(range(ids[0], 201))
            assert ids[0] == 1 or len(client.of("history")) == SHOWN


STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "two", "come", "go", "quiet", "ignore", "tell"]), st.integers(0, 3)), max_size=40
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, advances=st.lists(st.booleans(), min_size=40, max_size=40))
@example(steps=[("come", 0), ("come", 2), ("go", 0), ("go", 2)], advances=[False] * 40)
def test_whatever_happens_each_hears_it_as_if_alone(  # noqa: C901  a table of what may happen
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], advances: list[bool]
) -> None:
    """However much is in line before it is carried out, each hears what it would have heard one by one."""
    told = []
    for at_once in (False, True):
        room = room_at(tmp_path_factory.getbasetemp())
        clients = [Played(f"m{number}", framed=number != 3) for number in range(4)]
        inside = set()
        for (what, who), process_pending in zip(steps, advances, strict=False):
            client = clients[who]
            if what in {"say", "two"} and at_once and not process_pending:
                room.say(client, ["x"] if what == "say" else ["x", "y"], AT)  # somebody else will process it
            elif what in {"say", "two"}:
                room.say(client, ["x"] if what == "say" else ["x", "y"], AT)
                room.process_pending()
            elif what == "come" and who not in inside:
                inside.add(who)
                room.join(client, new=True, after=NOTHING)
            elif what == "go" and who in inside:
                inside.discard(who)
                room.leave(client, reason="left")
            elif what == "tell":
                room.enqueue(encode_event(Message({"kind": "notice", "text": "news"})))
            elif what in {"quiet", "ignore"}:  # it holds for what is carried out from then on
                room.process_pending()
                if what == "quiet":
                    client.member.quiet = not client.member.quiet
                else:
                    client.member.ignored ^= {"m0"}
            if not at_once or process_pending:
                room.process_pending()
        room.process_pending()
        assert room.names == [one for one in room.names if int(one[1:]) in inside]
        assert len(room.names) == len(inside)
        told.append([_without_members(client) for client in clients])
    assert told[0] == told[1]


def _without_members(client: Played) -> list[str]:
    """Who is here is told as of when it is told: whoever comes behind is heard of next."""
    if client.framed:
        return [json.dumps(one) for one in client.messages if one["kind"] != "members"]
    return [line for line in client.lines if not line.startswith("In #lobby")]


def test_ignoring_and_quiet_hide_exactly_that(tmp_path: Path) -> None:
    room = room_at(tmp_path)
    ann, bob, eve = Played("ann"), Played("bob"), Played("eve", framed=False)
    for client in (ann, bob, eve):
        enter(room, client)
    ann.data.clear()
    ann.member.ignored = frozenset({"bob"})
    ann.member.quiet = True
    for client, text in ((bob, "from bob"), (ann, "from ann"), (eve, "from eve")):
        room.say(client, [text], AT)  # processed later, so that all of it makes one piece
    guest = Played("guest")
    enter(room, guest)
    leave(room, guest)
    leave(room, bob)
    room.enqueue(encode_event(Message({"kind": "notice", "text": "news"}), key="eve"))
    room.enqueue(encode_event(Message({"kind": "notice", "text": "of bob"}), key="bob"))
    room.process_pending()
    assert [one["text"] for one in ann.messages] == ["from ann", "from eve", "news"]
    assert eve.lines[-7:] == [
        *("<bob> from bob", "<ann> from ann", "guest joined #lobby.", "guest left #lobby (left)."),
        *("bob left #lobby (left).", "news", "of bob"),
    ]


def test_a_member_from_several_places_is_counted_by_place_and_once_each(tmp_path: Path) -> None:
    room = room_at(tmp_path)
    here = Played("ann")
    there = Played("ann", member=here.member)
    bob = Played("bob")
    enter(room, bob)
    bob.data.clear()
    enter(room, here)
    enter(room, there, new=False)
    enter(room, there, new=False)  # two of its clients let it in at once
    assert room.names == ["bob", "ann"]
    room.leave(there, reason=None)
    room.process_pending()
    assert room.names == ["bob", "ann"]
    leave(room, here)
    assert room.names == ["bob"]
    assert [one["kind"] for one in bob.messages] == ["joined", "left"]


def test_who_was_here_before_is_told_all_that_it_has_missed(tmp_path: Path) -> None:
    room = room_at(tmp_path, 10_000, [said(number, f"text {number}") for number in range(1, 301)])
    new, first, back, up_to_date, ahead = (Played(name) for name in ("new", "first", "back", "uptodate", "ahead"))
    for client, after in ((new, NOTHING), (first, 0), (back, 120), (up_to_date, 300), (ahead, 10**30)):
        enter(room, client, after=after)
    assert [one["id"] for one in new.of("history")] == list(range(281, 301))
    assert [one["id"] for one in first.of("history")] == list(range(1, 301)), "it was here before anything was said"
    assert [one["id"] for one in back.of("history")] == list(range(121, 301))
    assert [one.get("more") for one in back.of("history")] == [True] * 179 + [None]
    assert not up_to_date.of("history")
    assert not ahead.of("history")
    for client in (new, first, back, up_to_date, ahead):
        assert not [one for one in client.of("notice") if one["code"] == "missed"], "nothing is left out"


@pytest.mark.parametrize(
    ("history", "after", "missed"),
    [
        (10, NOTHING, False),
        (10, 0, True),
        (10, 89, True),
        (10, 90, False),
        (10, 95, False),
        (1000, 0, False),
        (0, 5, False),
    ],
)
def test_a_gap_before_what_was_missed_is_told(tmp_path: Path, history: int, after: int, missed: bool) -> None:
    room = room_at(tmp_path, history, [said(number, f"text {number}") for number in range(1, 101)])
    back = Played("back")
    enter(room, back, after=after)
    assert ["missed" in one["code"] for one in back.of("notice")] == ([True] if missed else [])


def test_what_was_missed_is_bounded(tmp_path: Path) -> None:
    room = room_at(tmp_path, 10_000, [said(number, "x" * 4000) for number in range(1, 10_001)])
    back = Played("back")
    enter(room, back, after=1)
    assert SHOWN < len(back.of("history")) < 40
    assert [one["code"] for one in back.of("notice")] == ["missed"]
    assert len(back.data) < 2 * MISSED_BYTES
    room = room_at(tmp_path, 10_000, [said(number, "x") for number in range(1, 10_001)])
    back = Played("back")
    enter(room, back, after=1)
    assert len(back.data) < 2 * MISSED_BYTES


class Broken(Played):
    """Fails as long as it is broken."""

    broken = False

    def post_encoded(self, data: bytes) -> None:
        if self.broken:
            raise RuntimeError
        super().post_encoded(data)


def test_a_defect_of_one_client_does_not_stop_the_room(tmp_path: Path) -> None:
    room = room_at(tmp_path)
    ann = Broken("ann")
    enter(room, ann)
    ann.broken = True
    room.say(ann, ["x"], AT)
    with pytest.raises(RuntimeError):
        room.process_pending()
    ann.broken = False
    room.say(ann, ["y"], AT)
    room.process_pending()
    assert [one["text"] for one in ann.of("say")] == ["y"]
