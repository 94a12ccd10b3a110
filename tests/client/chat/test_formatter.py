import datetime
import re
from typing import Any

import pytest

from sockctl.client.chat.formatter import MessageFormatter
from sockctl.client.chat.roster import ChatContext, Roster
from sockctl.client.chat.theme import UNKNOWN
from sockctl.protocol.messages import Message, make_message

NOON = datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC)
ZONE = datetime.timezone(datetime.timedelta(hours=2))


class Shown:
    """What ann sees, who is in some rooms."""

    def __init__(self, formatter: MessageFormatter, context: ChatContext) -> None:
        self._formatter = formatter
        self._context = context

    def line(self, one: Message) -> str:
        return self._formatter.format(one, self._context)


def formatter(*rooms: str, colours: bool = False) -> Shown:
    roster = Roster()
    roster.update(make_message("welcome", "", name="ann"))
    for room in rooms or ("lobby",):
        roster.update(make_message("joined", "", room=room, name="ann"))
    return Shown(MessageFormatter(colours=colours, now=lambda: NOON, zone=ZONE), roster.context)


def said(text: str = "hello", sender: Any = "bob", kind: str = "say", **fields: Any) -> Message:
    return make_message(
        kind, text, **{"room": "lobby", "sender": sender, "id": 1, "at": "2026-01-31T12:05:00Z", **fields}
    )


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (said(), "14:05 <bob> hello"),
        (said(kind="history", at="2026-01-30T20:00:00Z"), "2026-01-30 22:00 <bob> hello"),
        (said(at="2026-01-30T22:30:00Z"), "00:30 <bob> hello"),
        (said(at="yesterday"), "<bob> hello"),
        (said(at=None), "<bob> hello"),
        (said("waves", action=True), "14:05 * bob waves"),
        (said("is on", None, action=True), "14:05 * is on"),
        (said("hello", None), "14:05 hello"),
        (said("", at=None), "<bob> "),
        (said("Ann, hi"), "14:05 >> <bob> Ann, hi"),
        (said("I am ann", "Ann"), "14:05 <Ann> I am ann"),
        (said("ann", None), "14:05 ann"),
        (said(private=True), "14:05 [private] <bob> hello"),
        (said("psst", "ann", private=True, to="bob"), "14:05 [private to bob] <ann> psst"),
        (make_message("joined", "bob joined", room="lobby", name="bob"), "* bob joined"),
        (make_message("notice", "Welcome to the chat."), "* Welcome to the chat."),
        (make_message("error", "No."), "! No."),
        (make_message("ask", "Who?"), "Who?"),
        (make_message("members", "ann, bob"), "ann, bob"),
    ],
)
def test_lines(one: Message, line: str) -> None:
    assert formatter().line(one) == line


@pytest.mark.parametrize(
    ("until", "text", "line"),
    [
        ("2026-01-31T13:05:00Z", "until 2026-01-31 13:05 UTC.", "! until 15:05."),
        ("2026-02-01T23:00:00Z", "until 2026-02-01 23:00 UTC.", "! until 2026-02-02 01:00."),
        (None, "until 2026-01-31 13:05 UTC.", "! until 2026-01-31 13:05 UTC."),
        ("junk", "until 2026-01-31 13:05 UTC.", "! until 2026-01-31 13:05 UTC."),
        ("2026-01-31T13:05:00Z", "on 2026-01-30 23:30 UTC, until 2026-01-31 13:05 UTC.", "! on 01:30, until 15:05."),
        ("2026-01-31T13:05:00Z", "until 9999-99-31 13:05 UTC.", "! until 9999-99-31 13:05 UTC."),
        ("9999-12-31T23:05:00Z", "until 9999-12-31 23:05 UTC.", "! until 9999-12-31 23:05 UTC."),
        ("2026-01-31T13:05:00Z", "You are muted for good.", "! You are muted for good."),
    ],
)
def test_a_refusal_ends_at_a_time_of_ones_own_zone(until: str | None, text: str, line: str) -> None:
    assert formatter().line(make_message("error", text, until=until)) == line
    assert formatter().line(make_message("notice", text, until=until)) == f"*{line[1:]}"
    assert formatter().line(make_message("notice", text, since=until)) == f"*{line[1:]}"


def test_who_is_there_in_columns() -> None:
    names = ["dora", "ann", "bob", "Cem", "eve"]
    details: list[Any] = [
        {"operator": False, "idle_s": 30, "away": "lunch with everybody from the team"},
        {"operator": True, "idle_s": 0},
        {"operator": False, "idle_s": 300},
        {"operator": True, "idle_s": 7_300, "away": ""},
        {"idle_s": 200_000},
    ]
    one = make_message("members", "5 in #lobby: @ann, bob", room="#lobby", members=names, details=details)
    own = MessageFormatter(colours=False, now=lambda: NOON, zone=ZONE)
    look = own.look(one, ChatContext(), marks_rooms=False)
    assert own.rows(look, NOON, 140) == [
        "12:30 5 in #lobby:",
        "      @ann                                    @Cem (away)                             eve (idle 2d)",
        "      bob (idle 5m)                           dora (away: lunch with everybody fro…)",
    ]
    cells = [cell for row in own.rows(look, NOON, 40)[1:] for cell in [row.strip()]]
    assert cells == ["@ann", "bob (idle 5m)", "@Cem (away)", "dora (away: lunch with everybody …", "eve (idle 2d)"]
    assert own.format(one) == "5 in #lobby: @ann, bob"


def test_the_room_stands_in_front_where_there_are_several() -> None:
    several = formatter("lobby", "games")
    assert several.line(said()) == "14:05 #lobby <bob> hello"
    assert several.line(said(room="#games", action=True)) == "14:05 #games * bob hello"
    assert several.line(said(room=None, private=True)) == "14:05 [private] <bob> hello"
    assert several.line(make_message("left", "bob left", room="lobby")) == "* #lobby bob left"
    assert several.line(make_message("left", "bob left #LOBBY", room="lobby")) == "* bob left #LOBBY"


def test_colours() -> None:
    colourful = formatter(colours=True)
    line = colourful.line(said("hi ann"))
    assert re.fullmatch(r"\x1b\[2m14:05\x1b\[0m >> <\x1b\[38;5;\d+mbob\x1b\[0m> hi \x1b\[1;7mann\x1b\[0m", line)
    assert colourful.line(said(private=True)).startswith("\x1b[2m14:05\x1b[0m \x1b[1m[private]\x1b[0m <")
    assert colourful.line(make_message("left", "bob left")) == "\x1b[2m* bob left\x1b[0m"
    assert colourful.line(make_message("error", "No.")) == "\x1b[31m! No.\x1b[0m"
    names = [str(number) for number in range(200)]
    found = [re.findall(r"38;5;(\d+)m", colourful.line(said(sender=name))) for name in names]
    assert {int(one) for (one,) in found} == set(UNKNOWN), "each is used"
    bob, same = (colourful.line(said(sender=name)).lower() for name in ("bob", "BOB"))
    assert bob == same


@pytest.mark.parametrize("colours", [True, False])
def test_nothing_steers_the_terminal(colours: bool) -> None:
    evil = "\x1b[2J\x9b1m\u202e\nx\r\x07"
    for kind in ("say", "history", "joined", "error", "members", "novelty"):
        one = make_message(kind, evil, room=evil, sender=evil, name=evil, at=evil, to=evil, private=True)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", formatter("a", evil, colours=colours).line(one))
        assert plain.isprintable()
