"""One message of a room's history: which lines of the file are taken, and how members are told it."""

import json
from typing import Any

import pytest

from sockctl.errors import StoreFormatError
from sockctl.services.chat.history_entry import check_entry, filter_ignored, read_entry, replay_messages
from tests.support.chat_room import AT, said


def line(**values: Any) -> bytes:
    own = {"kind": "say", "text": "hello", "room": "#lobby", "sender": "Ann", "id": 7, "at": AT}
    return json.dumps({**own, **values}).encode()


def test_a_line_that_is_taken() -> None:
    assert check_entry(line(action=True, newer={"a": 1})) == ("#lobby", 7)
    entry = read_entry(line())
    assert (entry.id, entry.key, entry.json) == (7, "ann", line())


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (line(at=float("nan")), "no JSON"),
        (b"[]", 'no object of the kind "say"'),
        (line(kind="notice"), 'no object of the kind "say"'),
        (line(text=1), "its text"),
        (line(text="a\nb"), "its text"),
        (line(room=None), "its room"),
        (line(sender="a\u202eb"), "its sender"),
        (line(id=0), "its id"),
        (line(id=True), "its id"),
        (line(id="7"), "its id"),
        (line(at="today"), "at"),
    ],
)
def test_a_line_that_is_refused(bad: bytes, why: str) -> None:
    with pytest.raises(StoreFormatError, match=why):
        check_entry(bad)


def test_all_but_the_last_say_more() -> None:
    told = [one.fields for one in replay_messages([said(1, "one"), said(2, "two")])]
    assert told == [
        {"kind": "history", "text": "one", "room": "#lobby", "sender": "bob", "id": 1, "at": AT, "more": True},
        {"kind": "history", "text": "two", "room": "#lobby", "sender": "bob", "id": 2, "at": AT},
    ]
    assert list(replay_messages([])) == []


def test_what_was_asked_for_says_so() -> None:
    (one,) = replay_messages([said(1, "one")], again=True)
    assert one.fields["again"] is True


def test_whom_a_member_ignores_is_left_out() -> None:
    entries = [said(1, "one"), read_entry(line())]
    assert filter_ignored(entries, {"ann"}) == entries[:1]
    assert filter_ignored(entries, ()) == entries
