import queue
import select
import socket
from collections.abc import Callable, Iterator

import pytest

from sockctl.client.connect_attempt import ConnectAttempt, watch_over
from sockctl.client.link import Link
from sockctl.client.outputs import Output
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.session_events import SessionEvent, Signal
from sockctl.client.settings import ClientSettings
from sockctl.client.targets import Targets
from sockctl.errors import SockctlError, UnreachableError
from sockctl.events.base import Event
from sockctl.events.client import Connecting
from sockctl.net.address import Endpoint
from sockctl.net.transport import Transport
from tests.support.running import TIMEOUT_S, wait_until


class Played:
    """Connects as the test says."""

    def __init__(self) -> None:
        self.outcomes: queue.SimpleQueue[Transport | BaseException] = queue.SimpleQueue()
        self.calls = 0

    def connect(self, emit: Callable[[Event], None]) -> Transport:
        self.calls += 1
        emit(Connecting(peer="played"))
        outcome = self.outcomes.get(timeout=TIMEOUT_S)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_what_happened_is_told_when_it_is_over(ends: tuple[socket.socket, socket.socket]) -> None:
    played = Played()
    emitted: list[Event] = []
    attempt = ConnectAttempt(played.connect)
    assert select.select([attempt], [], [], 0)[0] == []
    played.outcomes.put(ends[0])
    assert select.select([attempt], [], [], TIMEOUT_S)[0] == [attempt]
    assert attempt.finish(emitted.append) is ends[0]
    assert [event.name for event in emitted] == ["connecting"]
    failing = ConnectAttempt(played.connect)
    played.outcomes.put(UnreachableError("Gone."))
    with pytest.raises(UnreachableError):
        failing.finish(emitted.append)


def test_a_try_that_is_abandoned_before_it_is_done(ends: tuple[socket.socket, socket.socket]) -> None:
    played = Played()
    ConnectAttempt(played.connect).abandon()
    played.outcomes.put(ends[0])
    wait_until(lambda: ends[0].fileno() == -1)


def test_a_try_that_is_abandoned_when_it_was_done(ends: tuple[socket.socket, socket.socket]) -> None:
    attempt = ConnectAttempt(lambda _: ends[0])
    select.select([attempt], [], [], TIMEOUT_S)
    attempt.abandon()
    assert ends[0].fileno() == -1
    played = Played()
    ConnectAttempt(played.connect).abandon()
    played.outcomes.put(UnreachableError("Gone."))


def test_a_connection_is_closed_where_its_events_can_not_be_shown(ends: tuple[socket.socket, socket.socket]) -> None:
    def fail(_: Event) -> None:
        raise BrokenPipeError

    played = Played()
    attempt = ConnectAttempt(played.connect)
    played.outcomes.put(ends[0])
    with pytest.raises(BrokenPipeError):
        attempt.finish(fail)
    wait_until(lambda: ends[0].fileno() == -1)


def test_a_try_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", fail)
    with pytest.raises(OSError, match="the system has no thread left"):
        ConnectAttempt(Played().connect)


def test_a_session_hears_that_a_try_can_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    def connect_failed(error: SockctlError, _: float) -> list[SessionEvent]:
        heard.append(str(error))
        return []

    heard: list[str] = []
    place = Endpoint("127.0.0.1", 1)
    session = ClientSession(Targets([place]), ClientSettings(messages=False), open_tokens=lambda: pytest.fail("login"))
    monkeypatch.setattr(session, "connect_failed", connect_failed)
    screen = Screen()
    link = Link(session, lambda *_: pytest.fail("no thread"), screen=screen, output=Output(screen))
    monkeypatch.setattr("threading.Thread.start", fail)
    link.perform([Signal.CONNECTION_WANTED])
    assert heard == ["A try to connect can't begin: the system has no thread left."]
    assert not link.sources


def test_the_kernel_watches_over_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        watch_over(sock)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    watch_over(sock)  # it is closed: nothing happens
