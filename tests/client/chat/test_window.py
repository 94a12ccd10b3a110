import datetime
import tracemalloc
from typing import Any

import pytest

from sockctl.client.chat.formatter import MessageFormatter
from sockctl.client.chat.layout import measure_width
from sockctl.client.chat.roster import Roster
from sockctl.client.chat.update import Update
from sockctl.client.chat.window import MAX_FOUND, ChatWindow
from sockctl.protocol.messages import Message, make_message

NOON = datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC)


class Seat:
    """A member at a window, and a clock."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self.now = NOON
        self.roster = Roster()
        self.window = ChatWindow(self.roster, MessageFormatter(colours=False, now=lambda: self.now, zone=datetime.UTC))
        self.window.resize(columns, lines)
        self._id = 0

    def add(self, one: Message) -> Update:
        self.roster.update(one)
        return self.window.add(one, self.roster.context)

    def rows(self, kind: str, text: str = "", **fields: Any) -> list[str]:
        return self.add(make_message(kind, text, **fields)).rows

    def enter(self, *rooms: str) -> "Seat":
        self.add(make_message("welcome", "Welcome, ann!", name="ann"))
        for room in rooms:
            self.join(room)
        return self

    def join(self, room: str) -> Update:
        return self.add(make_message("joined", f"You are in {room}.", room=room, name="ann"))

    def say(self, text: str, sender: str = "bob", room: str = "#lobby", kind: str = "say", **fields: Any) -> Update:
        self._id += 1
        at = fields.pop("at", self.now.isoformat())
        return self.add(make_message(kind, text, sender=sender, room=room, id=self._id, at=at, **fields))

    def again(self, room: str) -> list[str]:
        """Return what is shown of a room after going to another one."""
        self.join("#elsewhere")
        update = self.window.go(room)
        assert update is not None
        return update.rows

    def status(self, columns: int = 80, away_s: float | None = None) -> str:
        [(_, row)] = self.window.status(columns, away_s=away_s)
        assert measure_width(row) <= columns
        return row

    def prompt(self) -> str:
        return "".join(text for _, text in self.window.prompt())


@pytest.fixture
def seat() -> Seat:
    return Seat().enter("#lobby")


def test_each_line_has_its_time(seat: Seat) -> None:
    assert Seat().rows("notice", "Be kind.") == ["12:30 * Be kind."]
    assert seat.say("hello", at="2026-01-31T12:05:00Z").rows == ["12:05 <bob> hello"]
    assert seat.say("waves", action=True).rows == ["12:30 * bob waves"]
    assert seat.rows("error", "No.") == ["12:30 ! No."]
    assert seat.rows("joined", "cem joined #lobby.", room="#lobby", name="cem") == ["12:30 * cem joined #lobby."]
    assert seat.rows("members", "In #lobby: ann", room="#lobby", members=["ann"]) == ["12:30 In #lobby: ann"]


def test_words_wrap_below_each_other() -> None:
    seat = Seat(columns=30).enter("#lobby")
    assert seat.say("the quick brown fox jumps over the lazy dog").rows == [
        "12:30 <bob> the quick brown",
        "            fox jumps over the",
        "            lazy dog",
    ]
    assert seat.say("привет, мир! как дела? 小明小明小明小明小明").rows == [
        "12:30 <bob> привет, мир! как",
        "            дела? 小明小明小明",
        "            小明小明",
    ]
    assert seat.rows("notice", "It is a long way home, and the night is dark.") == [
        "12:30 * It is a long way home,",
        "        and the night is dark.",
    ]


def test_long_names_leave_place_for_the_text() -> None:
    seat = Seat(columns=40).enter("#lobby")
    name = "x" * 32
    assert seat.say("hello, my dear friends, what news?", sender=name).rows == [
        f"12:30 <{'x' * 14}…> hello, my dear",
        "      friends, what news?",
    ]


def test_a_block_stands_in_several_rows(seat: Seat) -> None:
    lines = ["def f():", "    return 1", "", "exit"]
    assert seat.say(" ".join(lines), lines=lines).rows == [
        "12:30 <bob> def f():",
        "                return 1",
        "",
        "            exit",
    ]
    evil = seat.say("x", lines=["a\x1b[2J", 7, "\u202eb"]).rows
    assert evil == ["12:30 <bob> a␛[2J", "            \N{REPLACEMENT CHARACTER}b"]
    assert seat.say("text", lines=[]).rows == seat.say("text", lines="no").rows == ["12:30 <bob> text"]


def test_messages_of_other_rooms_only_count(seat: Seat) -> None:
    assert seat.join("#games").clears
    assert seat.say("hello") == Update([])
    assert seat.say("ann?") == Update([], rings=True)
    seat.say("my own", sender="ann", room="#games")
    assert "1:#lobby 2 !1" in seat.status()
    update = seat.window.go("#lobby")
    assert update is not None
    assert update.clears
    assert update.rows[-3:] == ["── new ──", "12:30 <bob> hello", "12:30 >> <bob> ann?"]
    assert "1:#lobby" not in seat.status()
    seat.window.go("#games")
    again = seat.window.go("#lobby")
    assert again is not None
    assert "── new ──" not in again.rows
    assert seat.window.go("#lobby") is None, "it is shown"
    assert seat.window.go("#nowhere") is None


def test_who_comes_and_goes_elsewhere_is_nothing_new(seat: Seat) -> None:
    seat.join("#games")
    assert seat.rows("joined", "bob joined #lobby.", room="#lobby", name="bob") == []
    assert seat.rows("notice", "The topic of #lobby is: tea", room="#lobby", code="topic") == []
    assert "#lobby" not in seat.status()


def test_what_concerns_the_user_is_shown_wherever_that_is(seat: Seat) -> None:
    seat.join("#games")
    assert seat.say("psst", room="", private=True) == Update(["12:30 [private] <bob> psst"], rings=True)
    assert seat.rows("error", "You are muted.", code="muted") == ["12:30 ! You are muted."]
    assert seat.rows("notice", "#lobby: 2 members", code="room", room="#lobby", count=2) == [
        "12:30 * #lobby: 2 members"
    ]
    answer = seat.rows("members", "1 in #lobby: bob", room="#lobby", members=["bob"], details=[{"idle_s": 0}])
    assert answer == ["12:30 1 in #lobby:", "      bob"]


def test_the_screen_of_before_stays_with_the_first_room() -> None:
    seat = Seat()
    assert not seat.enter("#lobby").join("#lobby").clears
    seat.join("#games")
    update = seat.window.go("#lobby")
    assert update is not None
    assert update.rows[0] == "12:30 * Welcome, ann!"


def test_the_server_tells_where_the_user_speaks(seat: Seat) -> None:
    seat.join("#games")
    update = seat.add(make_message("notice", "You speak in #lobby now.", code="room", room="#lobby"))
    assert update.clears
    assert seat.prompt() == "[#lobby] ann> "
    assert seat.add(make_message("notice", "You speak in #lobby now.", code="room", room="#lobby")) == Update([])


def come_back(seat: Seat, room: str) -> Update:
    return seat.add(make_message("welcome", "Welcome, ann!", name="ann", room=room))


def test_coming_back_shows_the_room_in_which_the_user_speaks(seat: Seat) -> None:
    seat.join("#games")
    update = come_back(seat, "#lobby")
    assert update.clears
    assert update.rows[-1] == "12:30 * Welcome, ann!"
    assert seat.window.go("#games") is None, "nobody knows whether the server still has it"
    assert not seat.join("#games").clears
    assert not seat.join("#lobby").clears
    assert seat.prompt() == "[#lobby] ann> "
    assert seat.window.go("#games") is not None
    assert not come_back(seat, "#games").clears
    assert come_back(seat, "#new").clears
    assert seat.prompt() == "[#new] ann> "


def test_what_the_user_knows_of_coming_back_needs_no_row(seat: Seat) -> None:
    seat.join("#games")
    come_back(seat, "#lobby")
    assert seat.window.is_back("#games")
    assert seat.window.is_back("#lobby")
    seat.join("#new")
    assert not seat.window.is_back("#lobby"), "else the prompt would show another room than that in which ann speaks"


def test_leaving_a_room(seat: Seat) -> None:
    seat.join("#games")
    assert seat.rows("left", "You left #games.", room="#games", name="ann") == ["12:30 * You left #games."]
    assert seat.prompt() == "> "
    assert "no room" in seat.status()
    update = seat.add(make_message("notice", "You speak in #lobby now.", code="room", room="#lobby"))
    assert update.rows[-1] == "12:30 * You left #games.", "it can still be read"
    seat.join("#games")
    assert seat.rows("left", "You left #lobby.", room="#lobby", name="ann") == ["12:30 * You left #lobby."]
    assert seat.window.pick(1) == "#games"


def test_rules_for_days_and_for_the_end_of_the_history(seat: Seat) -> None:
    at = "2026-01-30T20:00:00Z"
    friday, saturday, end = (
        "── Friday, 30 January 2026 ──",
        "── Saturday, 31 January 2026 ──",
        "── end of the history ──",
    )
    assert seat.say("older", kind="history", at=at, more=True).rows == [friday, "20:00 <bob> older"]
    assert seat.say("old", kind="history", at=at).rows == ["20:00 <bob> old", end], "at once"
    assert seat.say("new").rows == [saturday, "12:30 <bob> new"]
    assert seat.say("newer").rows == ["12:30 <bob> newer"]
    seat.now += datetime.timedelta(days=1)
    assert seat.say("hello").rows == ["── Sunday, 1 February 2026 ──", "12:30 <bob> hello"]


def test_a_history_that_was_asked_for_has_no_end(seat: Seat) -> None:
    assert seat.say("old", kind="history", again=True, more=True).rows == ["12:30 <bob> old"]
    assert seat.say("newer", kind="history", again=True).rows == ["12:30 <bob> newer"]
    assert seat.say("new").rows == ["12:30 <bob> new"]


def test_the_history_ends_though_its_last_message_is_known(seat: Seat) -> None:
    assert seat.say("old", kind="history", more=True).rows == ["12:30 <bob> old"]
    assert seat.say("new").rows == ["── end of the history ──", "12:30 <bob> new"]


def test_going_to_a_room_shows_a_screen_and_all_that_is_new() -> None:
    seat = Seat(lines=10).enter("#lobby", "#games")
    for number in range(100):
        seat.say(f"old {number}", room="#games")
    seat.window.go("#lobby")
    update = seat.window.go("#games")
    assert update is not None
    assert update.rows == [f"12:30 <bob> old {number}" for number in range(92, 100)]
    seat.window.go("#lobby")
    for number in range(50):
        seat.say(f"new {number}", room="#games")
    update = seat.window.go("#games")
    assert update is not None
    assert update.rows == ["── new ──", *(f"12:30 <bob> new {number}" for number in range(50))]
    assert len(seat.again("#games")) == 8


def test_rows_fit_after_a_resize(seat: Seat) -> None:
    seat.say("the quick brown fox jumps over the lazy dog")
    seat.window.resize(30, 24)
    assert all(len(row) <= 30 for row in seat.again("#lobby"))
    seat.window.resize(0, 0)
    assert seat.again("#lobby")


def test_the_bell_rings_once_a_second_and_can_be_off(seat: Seat) -> None:
    assert seat.say("ann!").rings
    assert not seat.say("ann!").rings
    seat.now += datetime.timedelta(seconds=1)
    assert not seat.say("I am ann", sender="ann").rings
    assert not seat.say("ann?", kind="history").rings
    assert not seat.say("psst", sender="ann", private=True, to="bob").rings
    assert seat.say("ann!").rings
    seat.window.bell = False
    seat.now += datetime.timedelta(seconds=1)
    assert not seat.say("ann!").rings


def test_who_types_is_told_for_five_seconds(seat: Seat) -> None:
    assert seat.rows("typing", "bob is typing.", room="#lobby", sender="bob") == []
    seat.rows("typing", "cem is typing.", room="#games", sender="cem")
    assert "bob types…" in seat.status()
    seat.now += datetime.timedelta(seconds=4)
    seat.rows("typing", "dora is typing.", room="#lobby", sender="dora")
    assert "bob, dora type…" in seat.status()
    seat.now += datetime.timedelta(seconds=1)
    assert "dora types…" in seat.status()
    seat.say("done", sender="dora")
    assert "type" not in seat.status()
    seat.rows("typing", "bob is typing.", room="#lobby", sender="bob")
    seat.rows("left", "bob left #lobby (left).", room="#lobby", name="bob")
    assert "type" not in seat.status()


def test_rooms_by_number_and_beside_each_other(seat: Seat) -> None:
    assert seat.window.step(1) is None
    seat.join("#games")
    seat.join("#tea")
    assert [seat.window.pick(number) for number in (0, 1, 2, 3, 4)] == [None, "#lobby", "#games", "#tea", None]
    assert seat.window.step(1) == "#lobby"
    assert seat.window.step(-1) == "#games"
    assert Seat().window.step(1) is None


def test_the_prompt_has_room_and_name(seat: Seat) -> None:
    assert Seat().prompt() == "> "
    assert seat.prompt() == "[#lobby] ann> "
    seat.rows("renamed", "ann is eva now.", before="ann", name="eva")
    assert seat.prompt() == "[#lobby] eva> "
    seat.window.resize(24, 10)
    seat.add(make_message("joined", room="#a-very-long-name-of-a-room", name="eva"))
    assert seat.prompt() == "[#a-very…] eva> "


def test_a_command_stays_with_its_time(seat: Seat) -> None:
    assert seat.window.echo("/who") == "12:30 > /who"
    seat.window.resize(30, 24)
    assert seat.window.echo("/topic what we do here today") == "12:30 > /topic what we do here\n        today"


def test_the_status_counts_members(seat: Seat) -> None:
    seat.rows("members", "In #lobby: ann, bob", room="#lobby", members=["ann", "bob"])
    assert seat.status().startswith(" #lobby 2 members │ connected ")
    assert seat.status().endswith(" 12:30 ")
    seat.rows("left", "bob left #lobby.", room="#lobby", name="bob")
    assert "#lobby 1 member │" in seat.status()
    seat.rows("members", "In #lobby: 1,000 members", room="#lobby", members=[], count=1000)
    seat.rows("joined", "9 joined.", room="#lobby", count=9)
    seat.rows("left", "1 left.", room="#lobby", count=1)
    assert "#lobby 1,008 members │" in seat.status()
    assert "away, coming back in 3 s" in seat.status(away_s=2.9)


def test_searching(seat: Seat) -> None:
    seat.say("Tea, anyone?", kind="history")
    seat.say("coffee")
    seat.say("no tea", sender="cem", kind="history")
    assert seat.window.search("TEA").rows == [
        "── search: TEA ──",
        "12:30 <bob> Tea, anyone?",
        "12:30 <cem> no tea",
        "── end of the search: 2 found ──",
    ]
    for _ in range(MAX_FOUND + 1):
        seat.say("spam")
    found = seat.window.search("spam").rows
    assert len(found) == MAX_FOUND + 2
    assert found[-1] == f"── end of the search: the last {MAX_FOUND} ──"


def test_a_text_of_spaces_only_and_a_name_with_a_tab(seat: Seat) -> None:
    assert seat.say(" " * 500).rows == ["12:30 <bob> "]
    assert seat.say("x", lines=["a", " " * 500, "b"]).rows == ["12:30 <bob> a", "", "            b"]
    assert seat.say("x", sender="b\to\tb", room="", private=True).rows == ["12:30 [private] <b o b> x"]


def test_a_search_for_what_would_steer_the_terminal(seat: Seat) -> None:
    rows = seat.window.search("\x1b[2Jx\n").rows
    assert all(row.isprintable() for row in rows)


def test_memory_is_bounded() -> None:
    seat = Seat().enter("#lobby")
    for number in range(1, 50):
        seat.join(f"#room{number}")
    text = "x" * 60_000
    tracemalloc.start()
    try:
        for number in range(250):
            seat.say(f"{number} {text}", room=f"#room{number % 49 + 1}")
            seat.say(text, sender=f"{number}{text}", room="#lobby", lines=[text] * 2)
            seat.rows("typing", room="#lobby", sender=f"{number}{text}")
            seat.rows("joined", room=f"#{number}{text[:1000]}", name="ann")
        assert tracemalloc.get_traced_memory()[0] < 120_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("columns", [20, 40])
def test_nothing_steers_the_terminal(columns: int) -> None:
    evil = "\x1b[2J\x9b1m\u202e\nx\r\x07"
    seat = Seat(columns=columns).enter("#lobby")
    for kind in ("say", "history", "joined", "left", "error", "members", "novelty", "typing", "notice"):
        fields = {"sender": evil, "name": evil, "at": evil, "to": evil, "private": True, "until": evil, "code": evil}
        for room in ("#lobby", evil):
            details = {"members": [evil], "details": [{"away": evil, "idle_s": 10**400, "operator": evil}]}
            rows = seat.rows(kind, evil, room=room, lines=[evil], **fields, **details)
            assert all(row.isprintable() for row in rows)
            assert seat.status(columns).isprintable()
    seat.join(evil)
    assert seat.prompt().isprintable()
    assert seat.status().isprintable()


def test_a_room_that_is_only_read_along_stands_in_front() -> None:
    seat = Seat().enter("#lobby")
    assert seat.say("over here", room="#games").rows[0].endswith("#games <bob> over here")
    assert "#" not in seat.say("and here").rows[0]
    assert seat.say("", room="#" + "x" * 100).rows, "whatever the length of its name"


def test_help_is_wrapped_beside_the_commands() -> None:
    seat = Seat(columns=40).enter("#lobby")
    text = "  /me TEXT   Say what you do, as in a play."
    assert seat.rows("notice", text, code="help") == [
        "12:30 *   /me TEXT   Say what you do, as",
        "                     in a play.",
    ]
    assert seat.rows("notice", text)[1] == "        in a play.", "not every text has columns"
    wide = "  /ban NAME|ADDRESS [TIME]  Keep a member out."
    assert seat.rows("notice", wide, code="help")[1] == "              Keep a member out."
    one_column = seat.rows("notice", "Anything else is said to your room, and //x says /x.", code="help")
    assert one_column[1] == "        room, and //x says /x."
