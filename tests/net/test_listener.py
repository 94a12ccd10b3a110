import contextlib
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import ListenError, PortTakenError
from sockctl.net.listener import Listeners, SocketOptions, list_addresses, open_listeners
from tests.support.running import free_port


@contextlib.contextmanager
def listening(host: str, port: int = 0, **options: Any) -> Iterator[Listeners]:
    listeners = open_listeners(host, port, **options)
    try:
        yield listeners
    finally:
        listeners.close()


def reachable(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "::ffff:127.0.0.1"])
def test_loopback_is_both_addresses(host: str) -> None:
    with listening(host) as listeners:
        assert set(listeners.hosts) == {"127.0.0.1", "::1"} == set(list_addresses(host))
        assert {sock.getsockname()[1] for sock in listeners.sockets} == {listeners.port}
        for address in ("127.0.0.1", "::1"):
            assert reachable(address, listeners.port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_can_take_the_other_address_of_localhost(host: str) -> None:
    with listening(host) as listeners:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::")):
            with pytest.raises(OSError, match="in use"):
                socket.create_server((address, listeners.port), family=family)


def test_loopback_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    make = socket.socket

    def without(family: int, *rest: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return make(family, *rest)

    monkeypatch.setattr(socket, "socket", without)
    with listening("127.0.0.1") as listeners:
        assert listeners.hosts == ["127.0.0.1"]


def test_another_loopback_address_is_that_one_only() -> None:
    port = free_port()  # any other one might be another test's on 127.0.0.1
    with listening("127.0.0.2", port, strict_port=True) as listeners:
        assert listeners.hosts == ["127.0.0.2"]
        assert not reachable("127.0.0.1", listeners.port)
        assert not reachable("::1", listeners.port)


def test_loopback_moves_on_to_a_port_that_is_free_on_both_addresses() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with listening("127.0.0.1", port) as listeners:
            assert (listeners.wanted_port, len(listeners.sockets)) == (port, 2)
            assert listeners.port > port


def test_who_has_the_other_address_is_told() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        who = rf"process {os.getpid()} \(.*\) of user " if sys.platform == "linux" else "another program"
        with pytest.raises(PortTakenError, match=rf"Port {port} is taken on ::1 by {who}.*needs all addresses.*--port"):
            open_listeners("127.0.0.1", port, strict_port=True)


def test_two_that_were_bound_before_either_listened() -> None:
    """Linux binds both, and refuses the second one's listen()."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))

        class First(SocketOptions):
            def apply(self, listener: socket.socket) -> None:
                super().apply(listener)
                other.listen()

        with pytest.raises(PortTakenError, match="taken on 127"):
            open_listeners("127.0.0.1", other.getsockname()[1], strict_port=True, options=First())


def test_link_local_address_without_its_interface() -> None:
    with pytest.raises(ListenError, match=r"needs its interface, as in fe80::1%eth0"):
        open_listeners("fe80::1", 0)


@pytest.mark.parametrize("host", ["::", ""])
def test_both(host: str) -> None:
    with listening(host) as listeners:
        assert reachable("::1", listeners.port)
        assert reachable("127.0.0.1", listeners.port)
        assert reachable("127.0.0.2", listeners.port)


def test_every_interface_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listening("") as listeners:
        assert listeners.hosts == ["0.0.0.0"]  # noqa: S104  what is expected, not bound


def test_a_name_with_two_addresses_shares_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: Any, **__: Any) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with listening("localhost") as listeners:
        assert listeners.hosts == ["::1", "127.0.0.1"]
        assert {sock.getsockname()[1] for sock in listeners.sockets} == {listeners.port}


def test_an_address_that_is_missing_is_passed_over_if_another_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: Any, **__: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.1", 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with listening("localhost") as listeners:
        assert listeners.hosts == ["127.0.0.1", "::1"]


def test_taken_port_moves_on() -> None:
    with listening("127.0.0.1") as first, listening("127.0.0.1", first.port) as second:
        assert second.wanted_port == first.port
        assert second.port > first.port


def test_taken_port_is_refused_when_strict() -> None:
    with listening("127.0.0.1") as first, pytest.raises(PortTakenError, match=f"Port {first.port} is taken.*--port"):
        open_listeners("127.0.0.1", first.port, strict_port=True)


def test_a_port_taken_on_every_interface_is_taken_on_one() -> None:
    with listening("") as first, listening("127.0.0.1", first.port) as second:
        assert second.port != first.port


def test_no_port_left() -> None:
    with listening("127.0.0.1") as first, pytest.raises(PortTakenError, match="is free"):
        open_listeners("127.0.0.1", first.port, highest_port=first.port)


def test_any_port_when_all_tries_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: Any) -> None:
        raise OSError(errno.EADDRINUSE, "taken")

    monkeypatch.setattr(socket.socket, "bind", taken)
    with pytest.raises(PortTakenError):
        open_listeners("127.0.0.1", 0)


def test_any_port_that_one_address_has_no_more_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bind = socket.socket.bind
    failures = [OSError(errno.EADDRINUSE, "taken")]

    def bind_later(self: socket.socket, address: Any) -> None:
        if failures:
            raise failures.pop()
        bind(self, address)

    monkeypatch.setattr(socket.socket, "bind", bind_later)
    with contextlib.closing(open_listeners("127.0.0.1", 0, strict_port=True)) as listeners:
        assert listeners.port


@pytest.mark.parametrize(
    ("host", "says"), [("203.0.113.1", "no address of this machine"), ("no-such-host.invalid", "is not known")]
)
def test_hosts_that_will_not_do(host: str, says: str) -> None:
    with pytest.raises(ListenError, match=says):
        open_listeners(host, 0)


@pytest.mark.parametrize(("number", "says"), [(errno.EACCES, "ports below 1024"), (errno.ENOBUFS, "No buffer space")])
def test_other_errors_are_explained(number: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, "No buffer space")

    monkeypatch.setattr(socket.socket, "bind", fail)
    with pytest.raises(ListenError, match=says):
        open_listeners("127.0.0.1", 80)


def test_restart_with_connections_in_time_wait() -> None:
    port = free_port()
    with listening("127.0.0.1", port, strict_port=True) as first:
        client = socket.create_connection(("127.0.0.1", first.port))
        first.sockets[0].setblocking(True)
        accepted, _ = first.sockets[0].accept()
        accepted.close()  # the side that closes first is the one left in TIME_WAIT
        assert client.recv(1) == b""
        client.close()
    with listening("127.0.0.1", port, strict_port=True) as second:
        assert second.port == port


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO tells it on Linux only")
@pytest.mark.parametrize("backlog", [0, 7, 1_000_000])
def test_the_backlog_is_what_the_kernel_says(backlog: int) -> None:
    with listening("127.0.0.1", backlog=backlog) as listeners:
        for one in listeners.sockets:
            info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
            assert struct.unpack_from("I", info, 28)[0] == listeners.backlog  # tcpi_sacked, of a listening socket
        assert listeners.backlog == min(backlog, int(Path("/proc/sys/net/core/somaxconn").read_text("ascii")))


def test_accepted_sockets_inherit_the_options() -> None:
    options = SocketOptions(keepalive_s=30, vanish_timeout_s=90)
    with listening("127.0.0.1", options=options) as listeners:
        client = socket.create_connection(("127.0.0.1", listeners.port))
        listeners.sockets[0].setblocking(True)
        accepted, _ = listeners.sockets[0].accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 12
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 90_000
