"""Tests for `sockctl.cluster.health`."""

from sockctl.cluster.health import Away, Back, Health, Lag
from sockctl.errors import EngineAwayError


def test_it_is_told_once_and_only_of_a_while() -> None:
    now, told = 0.0, list[Away | Back]()
    health = Health(told.append, away_after_s=2.0, clock=lambda: now)
    health.note_refused(7)  # a queue that was full for a moment
    health.note_failure("reader", EngineAwayError("no"))
    now = 1.9
    health.note_failure("reader", EngineAwayError("no"))
    health.note_success("reader")
    assert told == []
    for now in (2.0, 3.0, 4.0, 5.0):  # noqa: B007  the clock reads it
        health.note_failure("reader", EngineAwayError("gone"))
    assert told == [Away("gone")]
    assert health.is_away
    health.note_refused(2)
    health.note_refused(1)
    now = 6.5
    health.note_success("reader")
    health.note_success("reader")
    assert told == [Away("gone"), Back(4.5, 3)]
    assert not health.is_away


def test_an_engine_that_only_reads_is_away() -> None:
    now, told = 10.0, list[Away | Back]()
    health = Health(told.append, away_after_s=2.0, clock=lambda: now)
    health.note_failure("reader", EngineAwayError("gone"))
    health.note_success("reader")
    health.note_failure("writer", EngineAwayError("full"), waited_s=1.5)
    health.note_success("reader")
    assert told == []
    now = 10.5
    health.note_failure("writer", EngineAwayError("full"))
    health.note_failure("heart", EngineAwayError("full"))
    now = 12.0
    health.note_success("writer")
    assert told == [Away("full")]
    health.note_success("heart")
    assert told == [Away("full"), Back(3.5, 0)]


def test_a_lag_is_told_once_until_the_node_has_caught_up() -> None:
    now, told = 0.0, list[float]()
    lag = Lag(told.append, clock=lambda: now)
    for now, read, last in ((1, 5, 5), (2, 5, 9), (4, 7, 12), (6, 8, 14), (8, 9, 20), (9, 19, 30), (10, 30, 30)):  # noqa: B007  the clock reads it
        lag.note(read=read, last_id=last)
    assert told == [2, 1]
