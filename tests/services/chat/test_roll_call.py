"""The answer to /who: in order, with what members do."""

import time

import pytest

from sockctl.errors import CommandError
from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.services.chat.member import Member
from sockctl.services.chat.presence import MAX_AWAY
from sockctl.services.chat.roll_call import LISTED_AT_ONCE, describe_member, tell_who
from sockctl.services.chat.text_limits import COLUMNS
from sockctl.stores.timestamps import read_utc_clock
from tests.support.chat_room import Played


def member(name: str, *, idle_s: float = 0, away: str = "", operator: bool = False) -> Member:
    one = Member(name, since=read_utc_clock(), operator=operator)
    one.active_at, one.away = time.monotonic() - idle_s, away
    return one


@pytest.mark.parametrize(
    ("idle_s", "shown"),
    [(0, ""), (50, ""), (61, " (idle 1m)"), (3590, " (idle 59m)"), (7201, " (idle 2h)"), (200_000, " (idle 2d)")],
)
def test_idle_times(idle_s: float, shown: str) -> None:
    assert describe_member(member("bob", idle_s=idle_s)) == f"bob{shown}"


def test_who_is_there_in_order() -> None:
    ann = Played("ann")
    some = [member("cem", away="lunch", idle_s=900), member("Bob", idle_s=301), member("ann", operator=True)]
    tell_who(ann, "#lobby", some)
    assert ann.messages == [
        {
            "kind": "members",
            "text": "3 in #lobby: @ann, Bob (idle 5m), cem (away: lunch)",
            "members": ["ann", "Bob", "cem"],
            "details": [
                {"operator": True, "idle_s": 0},
                {"operator": False, "idle_s": 301},
                {"operator": False, "idle_s": 900, "away": "lunch"},
            ],
            "room": "#lobby",
            "count": 3,
        }
    ]


def test_nobody_is_there() -> None:
    ann = Played("ann")
    tell_who(ann, "#dev", [])
    assert (ann.messages[0]["text"], ann.messages[0]["members"]) == ("0 in #dev: nobody", [])


def test_many_are_told_in_several_messages_or_by_pages() -> None:
    ann, some = Played("ann"), [member(f"m{number:03}") for number in range(LISTED_AT_ONCE + 1)]
    tell_who(ann, "#lobby", some[::-1])
    first, second = ann.messages
    assert first["members"] + second["members"] == [one.name for one in some]
    assert (first["more"], second.get("more")) == (True, None)
    assert second["text"] == "In #lobby, too: m050"
    ann.data.clear()
    tell_who(ann, "#lobby", some, 2)
    (page,) = ann.messages
    assert page["text"] == "51 in #lobby, page 2 of 2: m050"
    assert (page["page"], page["pages"], page["count"], len(page["details"])) == (2, 2, 51, 1)
    with pytest.raises(CommandError, match="#lobby has 2 pages"):
        tell_who(ann, "#lobby", some, 3)


@pytest.mark.parametrize("letter", ['"', "🦜"])
def test_a_page_fits_a_frame_whatever_is_on_it(letter: str) -> None:
    ann = Played("ann")
    some = [member(f"{number:02}" + "🦜" * 30, away=letter * MAX_AWAY) for number in range(LISTED_AT_ONCE)]
    tell_who(ann, "#" + "🦜" * 32, some, 1)
    assert len(ann.data) < LIMIT_BYTES


def test_lines_fit_a_terminal() -> None:
    ann = Played("ann", framed=False)
    tell_who(ann, "#lobby", [member("ann"), member("bob")])
    assert ann.lines == ["2 in #lobby: ann, bob"]
    ann.data.clear()
    some = [member(f"somebody{number:02}", away="at lunch, until 2" if number % 3 else "") for number in range(20)]
    tell_who(ann, "#lobby", some)
    assert ann.lines[0] == "20 in #lobby:"
    assert max(map(len, ann.lines)) <= COLUMNS
    assert all(line.startswith("  ") for line in ann.lines[1:])
    told = " ".join(line.strip() for line in ann.lines[1:])
    assert told == ", ".join(map(describe_member, some))
