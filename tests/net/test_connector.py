import errno
import os
import socket
import threading
import time
from typing import Any

import pytest

from sockctl.errors import ConnectTimeoutError, UnreachableError
from sockctl.events.base import Event
from sockctl.net.address import Endpoint
from sockctl.net.connector import Pauses, connect
from tests.support.running import CLOSED_PORT, TIMEOUT_S, free_port


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def resolving(*addresses: tuple[socket.AddressFamily, str, int]) -> Any:
    """Stand in for the name service."""

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(family, socket.SOCK_STREAM, 6, "", (host, port)) for family, host, port in addresses]

    return getaddrinfo


def test_every_address_is_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        events: list[Event] = []
        with connect(Endpoint("localhost", port), tell=events.append, timeout_s=5) as sock:
            assert isinstance(sock, socket.socket)
            assert sock.getpeername() == ("127.0.0.1", port)
            assert sock.gettimeout() is None
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert names(events) == ["connecting", "address_failed", "connecting", "connected"]
    assert f"127.0.0.1:{port}" in events[-1].text


def test_localhost_is_what_the_family_says() -> None:
    port = CLOSED_PORT
    for family, address in ((socket.AF_INET, rf"127\.0\.0\.1:{port}"), (socket.AF_INET6, rf"\[::1\]:{port}")):
        with pytest.raises(UnreachableError, match=f"localhost:{port}: {address}: connection refused"):
            connect(Endpoint("localhost", port), tell=lambda _: None, timeout_s=5, family=family)


def test_refused_by_all() -> None:
    port = CLOSED_PORT
    with pytest.raises(UnreachableError, match=rf"127.0.0.1:{port}: connection refused, .*Is the server running"):
        connect(Endpoint("127.0.0.1", port), tell=lambda _: None, timeout_s=5)


@pytest.mark.parametrize(
    ("host", "code", "advice"),
    [
        ("127.0.0.1", errno.EMFILE, "Raise the limit of open files"),
        ("fe80::1", errno.EINVAL, r"A link-local address needs its interface, as in fe80::1%eth0\."),
        ("::1", errno.EINVAL, "Is the server running, is the port right"),
    ],
)
def test_what_to_do_next(monkeypatch: pytest.MonkeyPatch, host: str, code: int, advice: str) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(UnreachableError, match=rf"{os.strerror(code)}\. {advice}"):
        connect(Endpoint(host, 9), tell=lambda _: None, timeout_s=5)


def test_unknown_name() -> None:
    with pytest.raises(UnreachableError, match=r"No IPv6 address of 'nowhere\.invalid' can be found"):
        connect(Endpoint("nowhere.invalid", 1), tell=lambda _: None, timeout_s=5, family=socket.AF_INET6)


def test_a_name_service_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    resolved = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, family: int, kind: int, *, flags: int = 0) -> Any:
        if not flags:
            answer.wait(TIMEOUT_S)
        return resolved(host, port, family, kind, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    started = time.monotonic()
    with pytest.raises(ConnectTimeoutError, match=r"did not answer in 0\.2 s for 'slow\.example'"):
        connect(Endpoint("slow.example", 1), tell=lambda _: None, timeout_s=0.2)
    assert time.monotonic() - started < TIMEOUT_S / 2
    answer.set()


def test_a_name_that_is_no_name() -> None:
    with pytest.raises(UnreachableError, match="can be found"):
        connect(Endpoint("a" * 64 + ".example", 1), tell=lambda _: None, timeout_s=5)


def test_no_answer_is_a_timeout_and_each_address_gets_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        waiting = []
        for _ in range(3):  # fill the backlog: the kernel then ignores further SYNs
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            waiting.append(sock)
        monkeypatch.setattr(socket, "getaddrinfo", resolving(*[(socket.AF_INET, "127.0.0.1", port)] * 2))
        events: list[Event] = []
        started = time.monotonic()
        with pytest.raises(ConnectTimeoutError, match=r"no answer in 0\.2 s"):
            connect(Endpoint("silent", port), tell=events.append, timeout_s=0.4)
        assert 0.35 < time.monotonic() - started < TIMEOUT_S / 2
        assert names(events).count("address_failed") == 2
        for sock in waiting:
            sock.close()


def test_retries_until_the_server_is_there() -> None:
    port = free_port()
    servers: list[socket.socket] = []
    events: list[Event] = []

    def tell(event: Event) -> None:
        events.append(event)
        if event.name == "retrying" and names(events).count("retrying") == 3:  # before the pause and the next try
            servers.append(socket.create_server(("127.0.0.1", port)))

    connect(Endpoint("127.0.0.1", port), tell=tell, timeout_s=5, retries=50, pauses=Pauses(0.1, 0.15)).close()
    servers[0].close()
    retries = [event for event in events if event.name == "retrying"]
    assert [event.fields["seconds"] for event in retries] == [0.1, 0.15, 0.15]
    assert retries[0].fields["left"] == 50


def test_retries_end() -> None:
    events: list[Event] = []
    with pytest.raises(UnreachableError, match="Tried 3 times"):
        connect(Endpoint("127.0.0.1", CLOSED_PORT), tell=events.append, timeout_s=5, retries=2, pauses=Pauses(0.01))
    assert names(events).count("retrying") == 2


def test_a_connection_is_closed_where_it_can_not_be_told() -> None:
    def tell(event: Event) -> None:
        if event.name == "connected":
            raise BrokenPipeError

    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(BrokenPipeError):
            connect(Endpoint("127.0.0.1", server.getsockname()[1]), tell=tell, timeout_s=TIMEOUT_S)
        with server.accept()[0] as accepted:
            accepted.settimeout(TIMEOUT_S)
            assert accepted.recv(1) == b""
