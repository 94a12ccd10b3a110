from typing import Any

import pytest

from sockctl.client.chat.seen import MAX_ROOMS, REMEMBERED, Seen
from sockctl.protocol.messages import Message, make_message


def said(number: Any, room: str = "lobby", *, at: str = "2026-01-31T12:00:00Z", **fields: Any) -> Message:
    return make_message("say", "hello", room=room, sender="bob", id=number, at=at, **fields)


def test_nothing_is_shown_twice_in_a_room() -> None:
    seen = Seen()
    assert seen.admit(said(1))
    assert not seen.admit(said(1))
    assert not seen.admit(Message({**said(1).fields, "kind": "history"}))
    assert seen.admit(said(1, "games"))
    assert not seen.admit(said(1, "LOBBY")), "rooms are the same without regard to case"
    assert (seen.find_last("lobby"), seen.find_last("Games"), seen.find_last("other")) == (1, 1, 0)


def test_gaps_may_be_and_may_be_filled_later() -> None:
    seen = Seen()
    assert [seen.admit(said(number)) for number in (3, 7, 5, 5, 7)] == [True, True, True, False, False]
    assert seen.find_last("lobby") == 7


def test_what_was_asked_for_is_shown_again() -> None:
    seen = Seen()
    assert seen.admit(said(4))
    assert seen.admit(said(4, again=True))
    assert seen.admit(said(2, again=True)), "and noted, if it is new"
    assert not seen.admit(said(2))


def test_what_is_older_than_what_is_remembered_counts_as_shown() -> None:
    seen = Seen()
    for number in range(1, REMEMBERED + 3):
        assert seen.admit(said(number))
    assert not seen.admit(said(1))
    assert not seen.admit(said(2))
    assert not seen.admit(said(3))
    assert seen.admit(said(1, again=True))


@pytest.mark.parametrize("number", [1, 5])
def test_a_server_that_counts_anew(number: int) -> None:
    seen = Seen()
    for old in (4, 5, *range(6, 6 + REMEMBERED)):
        seen.admit(said(old))
    assert seen.admit(said(number, at="2026-01-31T13:00:00Z"))
    assert not seen.admit(said(number, at="2026-01-31T13:00:00Z"))
    assert seen.find_last("lobby") == number


def test_the_same_id_with_another_time_is_another_message() -> None:
    seen = Seen()
    seen.admit(said(1))
    assert seen.admit(said(1, at="2026-01-31T11:00:00Z"))


@pytest.mark.parametrize("number", [None, "1", 1.0, True, [1]])
def test_what_has_no_id_is_shown(number: Any) -> None:
    seen = Seen()
    assert seen.admit(said(number))
    assert seen.admit(said(number))
    assert seen.admit(said(1, ""))
    assert seen.admit(said(1, ""))
    assert seen.admit(make_message("notice", "hello", room="lobby", id=1))
    assert seen.find_last("lobby") == 0


def test_rooms_are_bounded_and_the_most_silent_one_is_forgotten_first() -> None:
    seen = Seen()
    for number in range(MAX_ROOMS):
        assert seen.admit(said(1, f"room{number}"))
    assert not seen.admit(said(1, "room0"))
    for number in range(5):
        assert seen.admit(said(1, f"other{number}"))
    assert [seen.find_last(f"room{number}") for number in range(7)] == [1, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("number", [-1, 1 << 63, 10**4000])
def test_what_no_server_counts_to_is_no_id(number: int) -> None:
    seen = Seen()
    assert seen.admit(said(number))
    assert seen.admit(said(number)), "it is shown, and not remembered"
    assert seen.find_last("lobby") == 0
