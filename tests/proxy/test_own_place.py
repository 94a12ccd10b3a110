"""A proxy whose target is itself: refused at the start where that is evident, else at the first client."""

import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import TargetIsProxyError
from sockctl.net.address import Endpoint
from sockctl.net.connector import Addresses
from sockctl.net.listener import Listeners, open_listeners, open_unix
from sockctl.proxy.own_place import OwnPlace
from sockctl.proxy.reasons import TARGET_UNREACHABLE
from tests.support.proxies import proxied
from tests.support.raw_services import reason_of
from tests.support.running import TIMEOUT_S, free_port

V4 = socket.AF_INET
EVERY_IPV4 = "0.0.0.0"  # noqa: S104  some tests listen on every interface, and accept nobody


def leave_out(listeners: Listeners, *addresses: tuple[Any, Any]) -> Addresses:
    return OwnPlace(listeners).leave_out(Endpoint("target", 1), list(addresses))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "::1", EVERY_IPV4, "::", "::ffff:127.0.0.1"])
def test_an_evident_target_is_refused(host: str) -> None:
    with contextlib.closing(open_listeners("127.0.0.1", 0)) as listeners:
        place = OwnPlace(listeners)
        with pytest.raises(TargetIsProxyError, match="is this proxy itself"):
            place.refuse_evident(Endpoint(host, listeners.port))
        place.refuse_evident(Endpoint(host, free_port()))
        place.refuse_evident(Endpoint("fe80::1%none", listeners.port))  # no such interface is there yet


def test_another_address_of_this_machine_is_no_loop_on_loopback_and_one_on_every_interface() -> None:
    with contextlib.closing(open_listeners("127.0.0.1", 0)) as listeners:
        other = V4, ("127.0.0.2", listeners.port)
        assert leave_out(listeners, other, (V4, ("127.0.0.1", listeners.port))) == [other]
    for host in (EVERY_IPV4, ""):
        with contextlib.closing(open_listeners(host, 0)) as listeners:
            beyond = V4, ("192.0.2.1", listeners.port)
            assert leave_out(listeners, (V4, ("127.0.0.2", listeners.port)), beyond) == [beyond]
            with pytest.raises(TargetIsProxyError):
                leave_out(listeners, (V4, ("127.0.0.2", listeners.port)))


def test_a_unix_socket_is_the_same_by_way_of_a_link(tmp_path: Path) -> None:
    own, link, other = tmp_path / "own", tmp_path / "link", tmp_path / "other"
    link.symlink_to(own)
    with contextlib.closing(open_unix(f"unix:{own}")) as listeners:
        place = OwnPlace(listeners)
        for path in (own, link):
            with pytest.raises(TargetIsProxyError):
                place.refuse_evident(Endpoint(f"unix:{path}", 0))
        place.refuse_evident(Endpoint(f"unix:{other}", 0))
        place.refuse_evident(Endpoint("unix:@own", 0))
        place.refuse_evident(Endpoint("127.0.0.1", 1))
    with contextlib.closing(open_unix(f"unix:@{tmp_path}")) as listeners:
        with pytest.raises(TargetIsProxyError):
            OwnPlace(listeners).refuse_evident(Endpoint(f"unix:@{tmp_path}", 0))
        OwnPlace(listeners).refuse_evident(Endpoint(f"unix:{own}", 0))


def test_a_name_that_leads_to_the_proxy_is_told_once_for_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Any:
        return resolved("127.0.0.1" if host == "loop.example" else host, *arguments, **options)

    port = free_port()
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("tests.support.running.open_listeners", lambda *_, **__: open_listeners("127.0.0.1", port))
    with proxied(target=Endpoint("loop.example", port)) as proxy:
        with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client:
            client.recv(10)
        assert reason_of(proxy.run) == TARGET_UNREACHABLE
        assert "loop.example" in proxy.told("target_failed")[0].error
        proxy.run.stop()
        assert len(proxy.told("client_connected")) == 1, "the proxy made no connection to itself"
