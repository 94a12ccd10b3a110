import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sockctl.errors import ConnectTimeoutError, UnreachableError
from sockctl.net.address import Endpoint
from sockctl.net.name_lookups import NameLookUps
from sockctl.net.wait import wait_for
from tests.support.running import TIMEOUT_S, wait_until

PLACE = Endpoint("some.example", 80)


class Names:
    """Plays a name service that answers when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = threading.Event()
        self.failure: OSError | None = None

    def getaddrinfo(self, *_: Any, flags: int = 0) -> list[Any]:
        if flags:
            raise socket.gaierror("that is a name")
        self.asked += 1
        self.answers.wait(TIMEOUT_S)
        if self.failure is not None:
            raise self.failure
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    played = Names()
    monkeypatch.setattr(socket, "getaddrinfo", played.getaddrinfo)
    yield played
    played.answers.set()
    wait_until(lambda: not any(one.name == "sockctl-resolver" for one in threading.enumerate()))


def find(look_ups: NameLookUps, timeout_s: float = TIMEOUT_S) -> list[Any]:
    return look_ups.find(PLACE, socket.AF_UNSPEC, timeout_s, wait_for)


def test_all_who_ask_at_once_share_one_look_up(names: Names) -> None:
    look_ups = NameLookUps()
    waiting: list[int] = []

    def wait(*arguments: Any) -> None:
        waiting.append(1)
        wait_for(*arguments)

    with ThreadPoolExecutor(10) as pool:
        asking = [pool.submit(look_ups.find, PLACE, socket.AF_UNSPEC, TIMEOUT_S, wait) for _ in range(10)]
        wait_until(lambda: len(waiting) == 10)
        with pytest.raises(ConnectTimeoutError, match=r"did not answer in 0\.1 s"):
            find(look_ups, 0.1)  # who gives up leaves the others waiting
        names.answers.set()
        assert {one.result()[0][4] for one in asking} == {("192.0.2.1", 80)}
    assert names.asked == 1
    find(look_ups)
    assert names.asked == 2, "a result is not kept"


def test_a_failure_is_that_of_all(names: Names) -> None:
    names.failure = socket.gaierror("nobody knows")
    names.answers.set()
    with pytest.raises(socket.gaierror, match="nobody knows"):
        find(NameLookUps())


@pytest.mark.parametrize(
    ("place", "failure"), [("threading.Thread.start", RuntimeError), ("socket.socketpair", OSError)]
)
def test_a_system_that_has_nothing_left(
    names: Names, monkeypatch: pytest.MonkeyPatch, place: str, failure: type[Exception]
) -> None:
    def fail(*_: Any) -> None:
        raise failure(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        with pytest.raises(UnreachableError, match=r"'some\.example' can't be looked up"):
            find(NameLookUps())
    assert not names.asked


def test_an_address_of_an_interface_that_there_is_not_asks_no_name_service() -> None:
    with pytest.raises(socket.gaierror):
        NameLookUps().find(Endpoint("fe80::1%none", 80), socket.AF_UNSPEC, 0.0, wait_for)
