import tracemalloc
from collections.abc import Callable

import pytest

from sockctl.client.chat.formatter import MessageFormatter
from sockctl.client.chat.unconfirmed import find_returning_text
from sockctl.client.chat.view import MAX_SEEN_BYTES, ChatView
from sockctl.client.chat.window import ChatWindow
from sockctl.protocol.messages import Message, make_message


def in_room(*, own_lines_stay: bool = False) -> ChatView:
    view = ChatView(own_lines_stay=own_lines_stay)
    view.admit(make_message("welcome", "", name="ann"))
    view.admit(make_message("joined", "", room="lobby", name="ann"))
    return view


def said(text: str, number: int, *, sender: str = "ann", **fields: object) -> Message:
    return make_message("say", text, room="lobby", sender=sender, id=number, **fields)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (" hello \t", "hello"),
        ("/etc/hosts", "/etc/hosts"),
        ("/ hello", "/ hello"),
        (" /quit", "/quit"),
        ("/me waves ", "waves"),
        ("/me", ""),
        ("/who", ""),
        ("//who", "/who"),
        ("", ""),
        ("a\x1bb\nc", "ab c"),
    ],
)
def test_what_comes_back(line: str, text: str) -> None:
    assert find_returning_text(line) == text


def test_a_refused_command_does_not_come_back() -> None:
    view = in_room()
    assert not view.note_refused("/nosuch")
    assert not view.note_refused("/join #games")
    for text in ("hello", "/etc/hosts", "/me waves", "/msg bob hello", "/reply yes", "/nosuch\nhello"):
        assert view.note_refused(text)


def test_what_may_not_have_arrived() -> None:
    view = in_room()
    for line in ("refused", "one", "/who", "two", "/me waves"):
        view.note_sent(line)
    assert view.admit(said("one", 1))
    assert not view.admit(said("one", 1)), "nothing is shown twice"
    assert view.admit(said("two", 2, sender="bob")), "that is somebody else's"
    assert view.lose() == ["two", "/me waves"]
    assert view.lose() == []


def test_what_was_said_to_one_alone_may_not_have_arrived_either() -> None:
    view = in_room(own_lines_stay=True)
    for line in ("/msg bob one", "one", "/tell bob two", "/r three", "/reply four", "//five", "/topic six"):
        view.note_sent(line)
    assert view.admit(said("one", 0, private=True)), "it is shown to whom it went"
    assert not view.admit(said("one", 1))
    assert view.lose() == ["/tell bob two", "/r three", "/reply four", "//five"]


def test_a_window_takes_its_own_commands_and_goes_ahead_to_rooms() -> None:
    view = in_room()
    assert view.enter("/bell off") == (None, True), "without a window the server gets all lines"
    assert view.show(said("hello", 1), view.roster.context) == ""
    window = ChatWindow(view.roster, MessageFormatter(colours=False))
    view.open_window(window)
    for room in ("#lobby", "#games"):
        view.show(make_message("joined", room=room, name="ann"), view.roster.context)
    update, goes_out = view.enter("/bell off")
    assert update is not None
    assert not goes_out
    assert view.enter("hello") == (None, True)
    update, goes_out = view.enter("/join lobby")
    assert update is not None
    assert update.clears
    assert goes_out
    assert view.show(make_message("notice", code="room", room="#lobby"), view.roster.context) == "", (
        "it is there already"
    )
    assert view.enter("/join #new") == view.enter("/join") == view.enter("") == (None, True)
    assert "hello" in view.show(said("hello", 1), view.roster.context)


def test_going_on_before_the_server_has_answered_shows_no_room_twice() -> None:
    view = in_room()
    view.open_window(ChatWindow(view.roster, MessageFormatter(colours=False)))
    for room in ("#lobby", "#games", "#tea"):
        view.show(make_message("joined", room=room, name="ann"), view.roster.context)
    for room in ("#lobby", "#games", "#tea"):
        assert view.enter(f"/join {room}")[0]
    for room in ("#lobby", "#games", "#tea"):
        assert view.show(make_message("notice", code="room", room=room), view.roster.context) == ""
    assert "\x1b[2J" in view.show(make_message("notice", code="room", room="#lobby"), view.roster.context)


def test_outside_of_rooms_nothing_comes_back() -> None:
    """A line has arrived if anything has come after it."""
    view = ChatView()
    view.note_sent("hello")
    view.admit(make_message("notice", "Well?"))
    view.note_sent("Well.")
    view.note_sent(" ")
    assert view.lose() == ["Well."]
    assert view.lose() == []


def test_what_was_typed_here_is_not_shown_again_where_it_stays() -> None:
    view = in_room(own_lines_stay=True)
    view.note_sent("hello")
    assert not view.admit(said("hello", 1))
    assert view.admit(said("hello", 2)), "that was typed elsewhere, by the same user"
    view.note_sent("hello")
    assert view.admit(said("hello", 3, private=True))
    assert view.admit(Message({**said("hello", 4).fields, "kind": "history"})), "it was named as perhaps lost"


def test_who_comes_back_is_not_told_the_same_again() -> None:
    view = in_room()
    told = [make_message("notice", "-"), make_message("notice", "-"), make_message("members", "ann, bob", room="lobby")]
    assert all(map(view.admit, told))
    view.lose()
    assert view.admit(make_message("welcome", "", name="ann"))
    assert not view.admit(make_message("joined", "", room="lobby", name="ann"))
    assert view.admit(make_message("joined", "", room="lobby", name="bob"))
    assert view.admit(make_message("members", "ann", room="lobby")), "that has changed"
    assert [view.admit(one) for one in told] == [False, False, False]
    view.note_sent("/who")
    assert view.admit(told[2]), "that was asked for"
    view.admit(make_message("welcome", "", name="ann"))
    view.admit(said("hello", 1, sender="bob"))
    assert view.admit(told[0]), "that is news"


def test_who_comes_back_sees_the_room_that_is_left() -> None:
    view = in_room()
    window = ChatWindow(view.roster, MessageFormatter(colours=False))
    view.open_window(window)

    def receive(one: Message) -> None:
        if view.admit(one):
            view.show(one, view.roster.context)

    def arrive(room: str, *rooms: str) -> None:
        view.lose()
        receive(make_message("welcome", "", name="ann", room=room))
        for each in rooms:
            receive(make_message("joined", "", room=each, name="ann"))

    arrive("#lobby", "#lobby")
    receive(said("hello", 1))
    receive(make_message("joined", "", room="#games", name="ann"))
    for room, rooms in (("#lobby", ["#games", "#lobby"]), ("#games", ["#lobby", "#games"]), ("#lobby", ["#lobby"])):
        arrive(room, *rooms)
        assert window.prompt()[0][1] == f"[{room}]"


def test_each_time_that_something_was_missed_is_told() -> None:
    view = in_room()
    for _ in range(2):
        view.lose()
        view.admit(make_message("welcome", "", name="ann"))
        assert view.admit(make_message("notice", "More was said.", code="missed", room="lobby"))


def test_what_is_told_when_it_comes_back() -> None:
    view = in_room()
    view.admit(said("one", 7, sender="bob"))
    assert view.list_seen() == {"lobby": 7}
    view.admit(make_message("joined", "", room="games", name="ann"))
    assert view.list_seen() == {"lobby": 7, "games": 0}
    assert ChatView().list_seen() is None
    for number in range(100):
        view.admit(make_message("joined", "", room=f"{number:032}", name="ann"))
    seen = view.list_seen()
    assert seen is not None
    assert sum(map(len, seen)) < MAX_SEEN_BYTES


LONG = "x" * 60_000


def in_many_rooms(number: int) -> Message:
    return make_message("joined", room=f"#room{number}", name="ann")


def members_of_many_rooms(number: int) -> Message:
    return make_message("members", room=f"#room{number % 50}", members=[f"member{number}.{one}" for one in range(40)])


def a_long_room(number: int) -> Message:
    return make_message("joined", room=f"#{number}{LONG}", name="ann")


def a_long_name(number: int) -> Message:
    return make_message("joined", room="lobby", name=f"{number}{LONG}")


def a_long_moment(number: int) -> Message:
    return make_message("history", room="lobby", id=number, at=f"{number}{LONG}")


def a_long_id(number: int) -> Message:
    return make_message("history", room="lobby", id=10**4_000 + number)


def a_long_notice(number: int) -> Message:
    return make_message("notice", f"{number}{LONG}", room="lobby")


def a_welcome(number: int) -> Message:
    return make_message("welcome", name=f"{number}{LONG}")


@pytest.mark.parametrize(
    "attack",
    [
        in_many_rooms,
        members_of_many_rooms,
        a_long_room,
        a_long_name,
        a_long_moment,
        a_long_id,
        a_long_notice,
        a_welcome,
    ],
)
def test_a_server_without_measure_fills_no_memory(attack: Callable[[int], Message]) -> None:
    remarks: list[str] = []
    view = ChatView(remark=remarks.append)
    view.admit(make_message("welcome", "", name="ann"))
    for room in ("lobby", *(f"#room{number}" for number in range(50))):
        view.admit(make_message("joined", "", room=room, name="ann"))
    tracemalloc.start()
    try:
        for number in range(1_200):
            view.admit(attack(number))
        assert tracemalloc.get_traced_memory()[0] < 12_000_000
    finally:
        tracemalloc.stop()
    assert len(remarks) <= 1
    assert bool(remarks) is (attack in {in_many_rooms, members_of_many_rooms, a_long_room, a_long_name})
