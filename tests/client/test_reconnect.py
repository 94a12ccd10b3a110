from typing import Any

import pytest

from sockctl.client.reconnect import Backoff, Reconnector
from sockctl.client.settings import USUAL_PAUSES, ReturnPauses
from sockctl.client.targets import Targets
from sockctl.errors import ConnectionBrokenError, TruncatedMessageError, UnreachableError
from sockctl.net.address import Endpoint

A, B, C = (Endpoint(host, 9090) for host in "abc")
STEADY_S = USUAL_PAUSES.steady_s


def make(*servers: Endpoint) -> Reconnector:
    return Reconnector(Targets(servers or (A,)), USUAL_PAUSES, lambda: 0.5)


def test_pauses_double_up_to_a_bound() -> None:
    backoff = Backoff(USUAL_PAUSES, lambda: 0.5)
    pauses = [backoff.draw_pause_s() for _ in range(8)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.draw_pause_s() == 0.5


def test_pauses_differ() -> None:
    assert Backoff(USUAL_PAUSES, lambda: 0.0).draw_pause_s() == 0.375
    assert 0.375 <= Backoff(USUAL_PAUSES).draw_pause_s() <= 0.625
    assert 0 <= Backoff(USUAL_PAUSES).draw_step_s() <= 0.25


def test_a_server_that_falls_over_and_over_is_spared() -> None:
    one = make()
    pauses = [one.lose(None, stood_s=STEADY_S - 1)[0] for _ in range(3)]
    assert pauses == [0.5, 1, 2]
    assert one.lose(None, stood_s=STEADY_S)[0] == 0.5


def test_pauses_are_a_setting() -> None:
    targets = Targets([A, B])
    one = Reconnector(targets, ReturnPauses(first_s=0.01, longest_s=0.02, step_s=0.0), lambda: 0.5)
    assert [one.fail(None)[0] for _ in range(8)] == [0.0, 0.01, 0.0, 0.02, 0.0, 0.02, 0.0, 0.02]


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
    pause_s, event = make().lose(error, stood_s=1.0)
    assert pause_s == 0.5
    assert event.text.startswith(f"The connection was lost ({why}): trying again in 0.5 s")


def test_each_reason_is_told_once() -> None:
    one = make()
    errors = [UnreachableError("Gone."), UnreachableError("Gone."), broken(None), None, None]
    events = [one.fail(error)[1] for error in errors]
    assert [event and event.text.split(".")[0] for event in events] == [
        "Gone",
        None,
        "It was not sent",
        "The server ended the connection again",
        None,
    ]


# Several servers.


def test_pauses_grow_after_a_whole_round() -> None:
    one = make(A, B, C)
    pauses = [one.lose(None, stood_s=STEADY_S)[0], *(one.fail(UnreachableError("No."))[0] for _ in range(8))]
    step_s = 0.125
    assert pauses == [step_s, step_s, 0.5, step_s, step_s, 1.0, step_s, step_s, 2.0]


def test_a_lost_server_has_had_its_try() -> None:
    targets = Targets([A, B])
    one = Reconnector(targets, USUAL_PAUSES, lambda: 0.5)
    pauses = [one.lose(None, stood_s=1.0)[0] for _ in range(4)]
    assert pauses == [0.125, 0.5, 0.125, 1.0], "servers that let in and fall are spared, too"
    assert targets.current == A


def test_what_is_told_of_several() -> None:
    one = make(A, B)
    _, lost = one.lose(None, stood_s=STEADY_S, farewell="the server is stopping")
    events = [lost, *(one.fail(error)[1] for error in (UnreachableError("Can't connect to b:9090: no."), None) * 2)]
    assert [event and event.happened for event in events] == [
        "The connection to a:9090 was lost (the server is stopping): trying b:9090 in 0.1 s.",
        "Can't connect to b:9090: no.",
        "a:9090 ended the connection. Trying b:9090.",
        None,
        None,
    ]
