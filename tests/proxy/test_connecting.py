"""The proxy while it connects to its target: what interrupts it, and what is left behind."""

import contextlib
import gc
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import PeerGoneError
from sockctl.events.reasons import DisconnectReason
from sockctl.net.address import Endpoint
from sockctl.net.connection import Connection
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.tls_client import make_client_context, shake_hands
from sockctl.proxy.service import Proxy
from tests.support.proxies import proxied
from tests.support.raw_services import MANY, reason_of, reset
from tests.support.running import LINGER_S, TIMEOUT_S, receive_all, wait_until

LONG_S = 60.0


@contextlib.contextmanager
def full(sock: socket.socket, address: Any, backlog: int) -> Iterator[None]:
    """Listen at an address, with a full backlog: nobody accepts."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(sock)
        sock.bind(address)
        sock.listen(backlog)
        for _ in range(backlog + 2):
            waiting = stack.enter_context(socket.socket(sock.family))
            waiting.setblocking(False)
            waiting.connect_ex(sock.getsockname())
        yield


def secure(sock: socket.socket, timeout_s: float, **options: Any) -> Any:
    context = make_client_context(ca=None, system_authorities=False, certificate=None, key=None)
    return shake_hands(sock, context, Endpoint("127.0.0.1", 1), timeout_s, **options)


@pytest.fixture(params=["silent", "backlog", "handshake", "name"])
def mute(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return settings of a proxy whose target doesn't answer."""
    with contextlib.ExitStack() as stack:
        settings: dict[str, Any] = {}
        match request.param:
            case "silent":
                sock = socket.socket()
                stack.enter_context(full(sock, ("127.0.0.1", 0), 0))
                settings["target"] = Endpoint(*sock.getsockname())
            case "backlog":
                path = str(tmp_path / "target")
                stack.enter_context(full(socket.socket(socket.AF_UNIX), path, 0))
                settings["target"] = Endpoint(f"unix:{path}", 0)
            case "handshake":
                settings["secure"] = secure
            case "name":
                answer, resolved = threading.Event(), socket.getaddrinfo

                def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Any:
                    if host == "slow.example" and not options.get("flags"):
                        answer.wait(TIMEOUT_S)
                    return resolved(host, *arguments, **{**options, "flags": socket.AI_NUMERICHOST})

                monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
                stack.callback(answer.set)
                settings["target"] = Endpoint("slow.example", 1)
        yield {**settings, "connect_s": LONG_S}


def test_a_stop_interrupts_the_connects_that_are_under_way(mute: dict[str, Any]) -> None:
    with proxied(MANY, **mute) as proxy, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(proxy.run.client()) for _ in range(20)]
        proxy.told("client_connected", len(clients))
        begun = time.monotonic()
        assert proxy.run.stop(drain_timeout_s=LONG_S)
        assert time.monotonic() - begun < TIMEOUT_S
        for client in clients:
            with pytest.raises(ConnectionResetError):
                client.recv(10)
        assert {one.reason for one in proxy.told("client_disconnected", 20)} == {DisconnectReason.SERVER_STOPPING}


def test_clients_whose_target_does_not_answer_count_as_all_clients_do(mute: dict[str, Any]) -> None:
    with proxied(Limits(max_clients=3), **mute) as proxy, contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(proxy.run.client())
        proxy.told("client_refused", 7)
        assert sum(one.name.startswith("sockctl-handler") for one in threading.enumerate()) <= 3


@pytest.mark.parametrize("ends_first", [False, True])
def test_a_client_that_breaks_off_ends_the_connect(mute: dict[str, Any], ends_first: bool) -> None:
    with proxied(**mute) as proxy:
        client = proxy.run.client()
        proxy.told("client_connected")
        if ends_first:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
        reset(client)
        assert reason_of(proxy.run) is DisconnectReason.CLIENT_RESET
        wait_until(lambda: not any(one.name.startswith("sockctl-handler") for one in threading.enumerate()))


def test_the_idle_timeout_ends_the_connect(mute: dict[str, Any]) -> None:
    with proxied(timeouts=Timeouts(idle_s=0.2, linger_s=LINGER_S), **mute) as proxy, proxy.run.client():
        assert reason_of(proxy.run) is DisconnectReason.IDLE_TIMEOUT


@pytest.mark.parametrize("mute", ["name"], indirect=True)
def test_clients_that_come_and_go_while_the_name_service_is_silent_share_one_look_up(mute: dict[str, Any]) -> None:
    with proxied(**mute) as proxy:
        for number in range(5):
            client = proxy.run.client()
            proxy.told("client_connected", number + 1)
            reset(client)
            proxy.told("client_disconnected", number + 1)
        assert [one.name for one in threading.enumerate()].count("sockctl-resolver") == 1


def fail(*_: Any, **__: Any) -> None:
    raise ValueError("a defect")


@pytest.mark.parametrize("place", ["Relay", "TargetConnected", "RelayTraffic", "RelayTraffic.end"])
def test_a_defect_leaves_no_socket_and_no_file_open(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python warns of each one that it has to close itself, and each warning is an error in tests."""
    with proxied(dump=None if place == "RelayTraffic.end" else tmp_path) as proxy:
        monkeypatch.setattr(f"sockctl.proxy.service.{place}", fail)
        with proxy.pair() as (client, there):
            client.shutdown(socket.SHUT_WR)
            there.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                assert receive_all(there) == b""
                assert receive_all(client) == b""
            assert proxy.told("service_failed")[0].error == "ValueError: a defect"
            assert proxy.told("client_disconnected")
            gc.collect()


def test_a_relay_that_comes_after_the_stop_is_refused() -> None:
    with proxied() as proxy, proxy.pair() as (client, _), socket.socket() as sock:
        proxy.told("target_connected")
        service = proxy.run.service
        assert isinstance(service, Proxy)
        proxy.run.stop()
        late = Connection(client.dup(), client.getpeername(), 2, portion=1, send_s=1.0)
        with contextlib.closing(late.sock), pytest.raises(PeerGoneError):
            service.relay(late, sock, lambda: None)
