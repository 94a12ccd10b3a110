from typing import Any

import pytest

from sockctl.client.reconnect import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, Backoff, Reconnector
from sockctl.errors import ConnectionBrokenError, TruncatedMessageError, UnreachableError


def test_pauses_double_up_to_a_bound() -> None:
    backoff = Backoff(lambda: 0.5)
    pauses = [backoff.draw_pause_s() for _ in range(8)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset_after(STEADY_S - 1)
    assert backoff.draw_pause_s() == LONGEST_PAUSE_S, "a server that falls over and over is spared"
    backoff.reset_after(STEADY_S)
    assert backoff.draw_pause_s() == FIRST_PAUSE_S


def test_pauses_differ() -> None:
    assert Backoff(lambda: 0.0).draw_pause_s() == 0.375
    assert 0.375 <= Backoff().draw_pause_s() <= 0.625


def broken(cause: Exception | None) -> ConnectionBrokenError:
    error = ConnectionBrokenError("It was not sent.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (None, "the server ended it without a goodbye"),
        (broken(OSError(104, "Connection reset by peer")), "Connection reset by peer"),
        (broken(None), "It was not sent"),
        (TruncatedMessageError("x"), "it ended in the middle of a message"),
    ],
)
def test_how_it_was_lost_is_told(error: Any, why: str) -> None:
    reconnector = Reconnector(Backoff(lambda: 0.5))
    pause_s, event = reconnector.lose(error, stood_s=1.0)
    assert pause_s == FIRST_PAUSE_S
    assert event is not None
    assert event.text.startswith(f"The connection was lost ({why}): trying again in 0.5 s")


def test_each_reason_is_told_once() -> None:
    reconnector = Reconnector(Backoff(lambda: 0.5))
    errors = [UnreachableError("Gone."), UnreachableError("Gone."), broken(None), None, None]
    events = [reconnector.fail(error)[1] for error in errors]
    assert [event and event.text.split(".")[0] for event in events] == [
        "Gone",
        None,
        "It was not sent",
        "The server ended the connection again",
        None,
    ]
