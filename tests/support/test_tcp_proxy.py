"""The proxy of the tests itself: each fault does what it says."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.running import CLOSED_PORT, TIMEOUT_S, receive_exactly, wait_until
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.wrong_servers import serving


def echo(sock: socket.socket) -> None:
    while data := sock.recv(65_536):
        sock.sendall(data)


@contextlib.contextmanager
def proxied() -> Iterator[tuple[TcpProxy, socket.socket]]:
    """Yield a proxy in front of an echo, and a connection through it that works."""
    with (
        serving(echo) as port,
        tcp_proxy(port) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT_S) as sock,
    ):
        assert ask(sock, b"hello") == b"hello"
        yield proxy, sock


def ask(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return receive_exactly(sock, len(data))


def is_silent(sock: socket.socket) -> bool:
    sock.settimeout(0.1)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(TIMEOUT_S)
    return False


def test_much_passes_in_order_and_the_end_of_each_side_does() -> None:
    data = bytes(range(256)) * 8_000
    with proxied() as (_, sock):
        assert ask(sock, data[:100_000]) == data[:100_000]
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


def test_what_a_hole_has_held_arrives_late() -> None:
    with proxied() as (proxy, sock):
        proxy.open_hole()
        sock.sendall(b"held")
        assert is_silent(sock)
        proxy.close_hole(late=True)
        assert receive_exactly(sock, 4) == b"held"


def test_what_a_hole_has_swallowed_is_gone_with_its_connection() -> None:
    with proxied() as (proxy, sock), socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT_S) as other:
        assert ask(other, b"hello") == b"hello"
        proxy.open_hole()
        sock.sendall(b"swallowed")
        wait_until(lambda: proxy.holds)
        assert is_silent(sock)
        proxy.close_hole(late=False)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert ask(other, b"untouched") == b"untouched"


def test_a_new_connection_through_a_hole_is_accepted_and_hears_nothing() -> None:
    with proxied() as (proxy, _):
        proxy.open_hole()
        with socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT_S) as sock:
            sock.sendall(b"later")
            assert is_silent(sock)
            proxy.heal()
            assert receive_exactly(sock, 5) == b"later"


def test_a_reset_is_a_reset() -> None:
    with proxied() as (proxy, sock):
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_a_reply_is_cut_off_after_its_request_has_arrived() -> None:
    with proxied() as (proxy, sock):
        proxy.cut_reply(b"this one")
        assert ask(sock, b"not that") == b"not that"
        sock.sendall(b"this one")
        assert receive_exactly(sock, 4) == b"this"
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert proxy.cut_replies == 1


def test_replies_to_some_requests_are_held_back() -> None:
    with proxied() as (proxy, sock):
        proxy.hold_replies(b"this one")
        assert ask(sock, b"not that") == b"not that"
        sock.sendall(b"this one")
        assert is_silent(sock)
        proxy.hold_replies(b"")
        assert receive_exactly(sock, 8) == b"this one"


def test_a_delay_holds_both_ways() -> None:
    with proxied() as (proxy, sock):
        proxy.slow_down(delay_s=0.03)
        began = time.monotonic()
        assert ask(sock, b"late") == b"late"
        assert time.monotonic() - began >= 0.06
        proxy.heal()


def test_a_slow_line_has_a_rate() -> None:
    with proxied() as (proxy, sock):
        proxy.slow_down(bytes_per_s=40_000)
        began = time.monotonic()
        assert ask(sock, bytes(8_000)) == bytes(8_000)
        assert time.monotonic() - began >= 0.2


def test_a_server_that_is_away_resets() -> None:
    with (
        tcp_proxy(CLOSED_PORT) as proxy,
        pytest.raises(ConnectionResetError),  # it may be so quick that the connection never stands
        socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT_S) as sock,
    ):
        sock.recv(1)


def test_a_proxy_that_closes_ends_what_waits_in_a_hole() -> None:
    with proxied() as (proxy, sock):
        proxy.open_hole()
        sock.sendall(b"never")
        assert is_silent(sock)
