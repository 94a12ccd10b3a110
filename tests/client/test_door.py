"""The door of a listener: real sockets, and sessions that nobody reads."""

import contextlib
import errno
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.client.door import EVENTS_PER_SECOND, MAX_HANDSHAKES, Admittance, ListeningDoor
from sockctl.client.link import Link
from sockctl.client.outputs import Output
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.session_events import EndReason
from sockctl.client.settings import ClientSettings
from sockctl.client.targets import Targets
from sockctl.client.token_store import TokenStore
from sockctl.errors import ConnectTimeoutError, ListenError
from sockctl.events.base import Event
from sockctl.net.access_rules import AccessRules
from sockctl.net.address import Endpoint
from sockctl.net.listener import open_listeners
from tests.support.running import TIMEOUT_S
from tests.support.tls import securing, self_signed


class Told(Screen):
    """Keeps the events."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def no_tokens() -> TokenStore:
    raise AssertionError("bytes need no token")


class Setting:
    """A door, and what it has brought."""

    def __init__(self, **admittance: Any) -> None:
        self.screen = Told()
        self.listeners = open_listeners("127.0.0.1", 0)
        wanted = Admittance(**{"rules": AccessRules(), **admittance})
        self.door = ListeningDoor(self.listeners, wanted, self._make_link, self.screen)
        self.links: list[Link] = []

    def _make_link(self, number: int) -> Link:
        place = Endpoint("127.0.0.1", self.listeners.port)
        session = ClientSession(Targets([place]), ClientSettings(messages=False), open_tokens=no_tokens, number=number)
        return Link(session, screen=self.screen, output=Output(self.screen))

    def client(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.listeners.port), TIMEOUT_S)

    def step(self, wait_s: float = TIMEOUT_S) -> None:
        sources: list[Any] = [*self.door.sources]
        readable = select.select(sources, [], [], wait_s)[0]
        self.links += self.door.admit(readable)

    def names(self) -> list[str]:
        return [event.name for event in self.screen.events]


@contextlib.contextmanager
def setting(**admittance: Any) -> Iterator[Setting]:
    made = Setting(**admittance)
    try:
        yield made
    finally:
        for link in made.links:
            link.close()
        made.door.end()


def test_one_client_closes_the_door() -> None:
    with setting() as it, it.client():
        assert not it.door.is_over
        it.step()
        assert len(it.links) == 1
        assert it.door.sources == ()
        with pytest.raises(ConnectionRefusedError):
            it.client()
        it.door.dismiss(it.links[0], EndReason.STOPPED)
        assert it.door.is_over


def test_the_next_client_waits_for_its_place() -> None:
    with setting(goes_on=True) as it, it.client(), it.client():
        it.step()
        it.step(0)
        assert len(it.links) == 1
        it.door.dismiss(it.links[0], EndReason.STOPPED)
        it.step()
        assert len(it.links) == 2
        assert not it.door.is_over


@contextlib.contextmanager
def one_moment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no time pass for the door: a busy machine takes long for what is to come at once."""
    now = time.monotonic()
    with monkeypatch.context() as stopped:
        stopped.setattr(time, "monotonic", lambda: now)
        yield


def test_refused_clients_are_told_then_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    with setting(rules=AccessRules(deny=["127.0.0.1"])) as it:
        with one_moment(monkeypatch):
            for _ in range(12):
                with it.client() as client:
                    it.step()
                    assert client.recv(1) == b""
        assert it.names() == ["client_refused"] * 10
        assert it.door.wake_at is not None
        until = time.monotonic() + TIMEOUT_S
        while it.names()[-1] != "clients_refused":
            assert time.monotonic() < until
            it.step(0.1)
        assert not it.door.is_over


def test_nobody_comes() -> None:
    with setting(wait_s=0.01) as it, pytest.raises(ConnectTimeoutError, match=r"No client came within 0\.01 s"):
        it.step(0.05)


def test_without_descriptors_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with setting() as it, it.client():
        select.select(it.door.sources, [], [], TIMEOUT_S)
        monkeypatch.setattr(socket.socket, "accept", fail)
        with pytest.raises(ListenError, match="A client can't be accepted: Too many open files"):
            it.step()


def test_without_descriptors_the_clients_that_are_there_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with setting(goes_on=True, places=3) as it, it.client(), it.client():
        it.step()
        with monkeypatch.context() as without:
            without.setattr(socket.socket, "accept", fail)
            it.step()
            assert not it.door.sources, "no busy loop"
            assert it.door.wake_at is not None
            assert it.names() == ["client_connected", "accept_paused"]
        it.door.dismiss(it.links[0], EndReason.STOPPED)
        it.step()
        assert len(it.links) == 2
        assert it.names()[-2:] == ["accept_resumed", "client_connected"]


def test_a_client_of_tls_without_descriptors_is_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with setting(secure=securing(self_signed(tmp_path)), goes_on=True) as it, it.client() as client:
        monkeypatch.setattr("sockctl.client.door.ConnectAttempt", fail)
        with pytest.raises(ListenError, match="Too many open files"):
            it.step()
        assert client.recv(1) == b""


def test_a_client_is_closed_where_its_session_can_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Told, "emit", fail)
    with setting() as it, it.client() as client:
        with pytest.raises(BrokenPipeError):
            it.step()
        assert client.recv(1) == b""


def test_a_silent_client_of_tls_is_given_up(tmp_path: Path) -> None:
    with setting(secure=securing(self_signed(tmp_path)), handshake_s=0.05) as it, it.client() as client:
        it.step()
        it.step()
        (failed,) = it.screen.events
        assert (failed.name, failed.fields["error"]) == ("tls_failed", "the client did not finish it within 0.05 s")
        assert client.recv(1) == b""
        assert not it.links
        assert not it.door.is_over


def break_handshakes(it: Setting, count: int) -> None:
    for _ in range(count):
        with it.client() as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            it.step()
            it.step()


def test_a_flood_of_broken_handshakes_becomes_a_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flood = 3 * EVENTS_PER_SECOND
    with setting(secure=securing(self_signed(tmp_path))) as it:
        with one_moment(monkeypatch):
            break_handshakes(it, flood)
        it.door.end()
        failed, sums = it.names().count("tls_failed"), [one for one in it.screen.events if one.name == "events_summed"]
        assert failed + sum(one.fields["count"] for one in sums) == flood
        assert EVENTS_PER_SECOND <= failed < flood


def test_a_sum_of_broken_handshakes_is_shown_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with setting(secure=securing(self_signed(tmp_path))) as it:
        with one_moment(monkeypatch):
            break_handshakes(it, 2 * EVENTS_PER_SECOND)
        until = time.monotonic() + TIMEOUT_S
        while "events_summed" not in it.names():
            assert time.monotonic() < until
            it.step(0.05)


def test_silent_clients_of_tls_are_bounded(tmp_path: Path) -> None:
    with (
        setting(secure=securing(self_signed(tmp_path)), handshake_s=TIMEOUT_S) as it,
        contextlib.ExitStack() as clients,
    ):
        for _ in range(MAX_HANDSHAKES):
            clients.enter_context(it.client())
            it.step()
        assert not set(it.listeners.sockets) & set(it.door.sources)
        assert len(it.door.sources) == MAX_HANDSHAKES
