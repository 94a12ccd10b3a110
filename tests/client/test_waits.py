"""Tests for `sockctl.client.waits`."""

from sockctl.client.waits import Waits


def test_a_wait_lasts_from_when_it_is_first_needed() -> None:
    waits = Waits(10.0)
    assert waits.end_of("turn", 100.0, needed=False) is None
    assert waits.end_of("turn", 101.0, needed=True) == 111.0
    assert waits.end_of("turn", 105.0, needed=True) == 111.0
    assert waits.end_of("silence", 105.0, needed=True, seconds=0.3) == 105.3


def test_a_wait_begins_anew_once_it_was_not_needed() -> None:
    waits = Waits(10.0)
    waits.end_of("turn", 100.0, needed=True)
    waits.end_of("turn", 101.0, needed=False)
    assert waits.end_of("turn", 102.0, needed=True) == 112.0
    waits.forget("turn")
    assert waits.end_of("turn", 103.0, needed=True) == 113.0
