"""Tests for `sockctl.cluster.health`."""

from sockctl.cluster.health import Away, Back, Health, Lag
from sockctl.errors import EngineAwayError


def test_it_is_told_once_and_only_of_a_while() -> None:
    now, told = 0.0, list[Away | Back]()
    health = Health(told.append, away_after_s=2.0, clock=lambda: now)
    health.note_refused(7)  # a queue that was full for a moment
    health.note_failure(EngineAwayError("no"))
    now = 1.9
    health.note_failure(EngineAwayError("no"))
    health.note_success()
    assert told == []
    for now in (2.0, 3.0, 4.0, 5.0):  # noqa: B007  the clock reads it
        health.note_failure(EngineAwayError("gone"))
    assert told == [Away("gone")]
    assert health.is_away
    health.note_refused(2)
    health.note_refused(1)
    now = 6.5
    health.note_success()
    health.note_success()
    assert told == [Away("gone"), Back(4.5, 3)]
    assert not health.is_away


def test_a_lag_is_told_once_until_the_node_has_caught_up() -> None:
    now, told = 0.0, list[float]()
    lag = Lag(told.append, clock=lambda: now)
    for now, read, last in ((1, 5, 5), (2, 5, 9), (4, 7, 12), (6, 8, 14), (8, 9, 20), (9, 19, 30), (10, 30, 30)):  # noqa: B007  the clock reads it
        lag.note(read=read, last_id=last)
    assert told == [2, 1]
