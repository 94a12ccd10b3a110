"""What clients are told about a room: its members, its topic, its history, its line in the list."""

import json

import pytest

from sockctl.errors import CommandError
from sockctl.services.chat.audience import Audience
from sockctl.services.chat.roll_call import LISTED_AT_ONCE
from sockctl.services.chat.room_info import NAMES_AT_ONCE, RoomInfo
from sockctl.services.chat.state import ChatState
from tests.support.chat_room import Played, said
from tests.support.chat_topics import set_topic

LARGE = 250


class Stage:
    """A room with some members."""

    def __init__(self, members: int = 0) -> None:
        self.audience = Audience()
        self.state = ChatState()
        self.info = RoomInfo("#lobby", self.audience, self.state, told_singly=LARGE)
        self.add(members)

    def add(self, members: int) -> None:
        first = len(self.audience)
        for number in range(first, first + members):
            self.audience.add(Played(f"m{number}"))


def test_the_members_in_pages_of_so_many() -> None:
    stage, ann = Stage(NAMES_AT_ONCE + 1), Played("ann")
    stage.info.tell_members(ann)
    first, second = ann.messages
    assert len(first["members"]) == NAMES_AT_ONCE
    assert first["more"]
    assert first["text"].endswith("m99, …")
    assert second == {"kind": "members", "text": "In #lobby: m100", "room": "#lobby", "members": ["m100"]}


def test_nobody_is_there() -> None:
    ann = Played("ann")
    Stage().info.tell_members(ann)
    assert ann.messages == [{"kind": "members", "text": "In #lobby: nobody", "room": "#lobby", "members": []}]


def test_of_a_large_room_only_how_many() -> None:
    ann = Played("ann")
    Stage(LARGE + 1).info.tell_members(ann)
    (told,) = ann.messages
    assert (told["count"], told["members"]) == (LARGE + 1, [])


def test_a_page_that_was_asked_for() -> None:
    stage, ann = Stage(2 * LISTED_AT_ONCE + 5), Played("ann")
    stage.info.tell_who(ann, 3)
    (told,) = ann.messages
    assert told["members"] == [f"m{number}" for number in range(95, 100)], "in order"
    assert (told["page"], told["pages"], told["count"]) == (3, 3, 105)
    with pytest.raises(CommandError, match="#lobby has 3 pages"):
        stage.info.tell_who(ann, 4)


def test_the_line_in_the_list_says_what_holds_now() -> None:
    stage = Stage(1)
    assert stage.info.encode_listing().line == b"#lobby: 1 member\r\n"
    assert stage.info.encode_listing() is stage.info.encode_listing(), "encoded once for many"
    stage.add(1)
    assert stage.info.encode_listing().line == b"#lobby: 2 members\r\n"
    set_topic(stage.state, "#lobby", "tea", by="ann")
    assert stage.info.encode_listing().line == b"#lobby: 2 members, tea\r\n"
    fields = json.loads(stage.info.encode_listing().frame[4:])
    assert (fields["code"], fields["room"], fields["count"], fields["topic"]) == ("room", "#lobby", 2, "tea")


def test_a_welcome_in_order() -> None:
    stage, ann = Stage(1), Played("ann")
    set_topic(stage.state, "#lobby", "tea", by="bob")
    stage.info.welcome(ann, [said(7, "one"), said(8, "two")], missed=True)
    shown = [(one["kind"], one.get("code")) for one in ann.messages]
    assert shown == [
        ("joined", None),
        ("notice", "topic"),
        ("members", None),
        ("notice", "missed"),
        ("history", None),
        ("history", None),
    ]
    assert [one["id"] for one in ann.of("history")] == [7, 8]


def test_a_welcome_to_a_silent_room() -> None:
    ann = Played("ann", framed=False)
    Stage().info.welcome(ann, [], missed=False)
    assert ann.lines == ["You are in #lobby.", "In #lobby: nobody"]


def test_each_client_gets_history_of_its_own_wire_without_whom_it_ignores() -> None:
    stage, history = Stage(), [said(7, "one")]
    framed, lines, deaf, again = Played("a"), Played("b", framed=False), Played("c"), Played("d")
    deaf.member.ignored = frozenset({"bob"})
    for client in (framed, lines, deaf, again):
        stage.info.welcome(client, history, missed=False)
    stage.info.drop_told_history()
    late = Played("e")
    stage.info.welcome(late, [*history, said(8, "two")], missed=False)
    assert [one["text"] for one in framed.of("history")] == ["one"]
    assert "one" in lines.lines[-1]
    assert not deaf.of("history")
    assert again.of("history") == framed.of("history")
    assert [one["text"] for one in late.of("history")] == ["one", "two"]
