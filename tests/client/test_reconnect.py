import os
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sockctl.client.inputs import LineInput
from sockctl.client.reconnect import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    STEADY_S,
    Backoff,
    ConnectAttempt,
    Reconnector,
    watch_over,
)
from sockctl.client.telling import Tell
from sockctl.errors import ConnectionBrokenError, TruncatedMessageError, UnreachableError, UntrustedError
from sockctl.events.base import Event
from sockctl.events.client import Connecting, ConnectionLost, Reconnecting
from sockctl.net.transport import Transport
from tests.support.running import TIMEOUT_S, wait_until


def test_pauses_double_up_to_a_bound() -> None:
    backoff = Backoff(lambda: 0.5)
    pauses = [backoff.next_s() for _ in range(8)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.stood(STEADY_S - 1)
    assert backoff.next_s() == LONGEST_PAUSE_S, "a server that falls over and over is spared"
    backoff.stood(STEADY_S)
    assert backoff.next_s() == FIRST_PAUSE_S


def test_pauses_differ() -> None:
    assert Backoff(lambda: 0.0).next_s() == 0.375
    assert 0.375 <= Backoff().next_s() <= 0.625


class Played:
    """Connects as the test says."""

    def __init__(self) -> None:
        self.outcomes: queue.SimpleQueue[Transport | BaseException] = queue.SimpleQueue()
        self.calls = 0

    def connect(self, tell: Tell) -> Transport:
        self.calls += 1
        tell(Connecting(peer="played"))
        outcome = self.outcomes.get(timeout=TIMEOUT_S)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def typed() -> Iterator[tuple[LineInput, int]]:
    reading, writing = os.pipe()
    yield LineInput(crlf=False, descriptor=reading), writing
    os.close(reading)
    os.close(writing)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


class Way:
    """A way back without pauses."""

    def __init__(self) -> None:
        self.played = Played()
        self.told: list[Event] = []
        self.remarks: list[str] = []
        backoff = Backoff(lambda: 0.5)
        backoff.next_s = lambda: 0.0  # type: ignore[method-assign]
        self.back = Reconnector(self.played.connect, tell=self.told.append, remark=self.remarks.append, backoff=backoff)

    def texts(self, kind: type[Event]) -> list[str]:
        return [event.text for event in self.told if isinstance(event, kind)]


def test_it_tries_until_there_is_a_connection(
    typed: tuple[LineInput, int], ends: tuple[socket.socket, socket.socket]
) -> None:
    way = Way()
    for outcome in (UnreachableError("Gone."), UnreachableError("Gone."), ConnectionBrokenError("Broken."), ends[0]):
        way.played.outcomes.put(outcome)
    assert way.back.find(typed[0], 0.01) is ends[0]
    assert [text.split(" ")[0] for text in way.texts(Reconnecting)] == ["Gone.", "Broken."], "each reason once"
    assert len(way.texts(Connecting)) == 4


def test_whoever_is_not_to_be_trusted_ends_it(typed: tuple[LineInput, int]) -> None:
    way = Way()
    way.played.outcomes.put(UntrustedError("Changed."))
    with pytest.raises(UntrustedError):
        way.back.find(typed[0], 0.0)


def test_lines_are_refused_while_it_tries_and_exit_ends_it(
    typed: tuple[LineInput, int], ends: tuple[socket.socket, socket.socket]
) -> None:
    way = Way()
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(way.back.find(typed[0], 0.0)))
    thread.start()
    wait_until(lambda: way.played.calls == 1)
    os.write(typed[1], b"\nhello\n caf\xe9\x1b\n")
    wait_until(lambda: len(way.remarks) == 2)
    assert way.remarks[0].endswith("no connection: hello")
    assert way.remarks[1].endswith("caf\N{REPLACEMENT CHARACTER}\N{SYMBOL FOR ESCAPE}")
    os.write(typed[1], b"exit\n")
    thread.join(TIMEOUT_S)
    assert found == [None]
    way.played.outcomes.put(ends[0])  # the try that was left behind comes to its end
    wait_until(lambda: ends[0].fileno() == -1)


def test_the_end_of_the_input_in_the_pause_ends_it(typed: tuple[LineInput, int]) -> None:
    way = Way()
    os.write(typed[1], b"exit\n")
    assert way.back.find(typed[0], TIMEOUT_S) is None
    assert way.played.calls == 0


def test_an_interruption_abandons_the_try(
    typed: tuple[LineInput, int], ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way()
    waits = iter([True])

    def waited(*_: object) -> bool:
        for one in waits:
            return one
        raise KeyboardInterrupt

    monkeypatch.setattr(way.back, "_waited", waited)
    with pytest.raises(KeyboardInterrupt):
        way.back.find(typed[0], 0.0)
    way.played.outcomes.put(ends[0])
    wait_until(lambda: ends[0].fileno() == -1)


def test_a_try_that_is_abandoned_when_it_was_done(ends: tuple[socket.socket, socket.socket]) -> None:
    attempt = ConnectAttempt(lambda _: ends[0])
    wait_until(lambda: attempt._outcome is not None)
    attempt.abandon()
    assert ends[0].fileno() == -1
    played = Played()
    ConnectAttempt(played.connect).abandon()
    played.outcomes.put(UnreachableError("Gone."))


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
    way = Way()
    assert way.back.lost(error, stood_s=1.0) == 0.0
    assert way.texts(ConnectionLost)[0].startswith(f"The connection was lost ({why}): trying again in 0.0 s")
    way.back.failed(None)
    way.back.failed(None)
    assert len(way.texts(Reconnecting)) == 1


def test_the_kernel_watches_over_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        watch_over(sock)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    watch_over(sock)  # it is closed: nothing happens
