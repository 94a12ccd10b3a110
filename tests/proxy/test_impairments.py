"""The bad network that --delay, --rate and --drop-after make."""

import contextlib
import socket
import time

import pytest

from sockctl.proxy.reasons import DROPPED
from sockctl.proxy.settings import Impairments
from tests.support.proxies import proxied
from tests.support.raw_services import reason_of
from tests.support.running import receive_all, receive_exactly, send_and_half_close


def receive_until_reset(sock: socket.socket) -> tuple[bytes, bool]:
    """Return what came, and whether a reset ended it."""
    received = b""
    try:
        while part := sock.recv(100):
            received += part
    except ConnectionResetError:
        return received, True
    return received, False


def test_a_delay_holds_bytes_and_the_end_back_each_way() -> None:
    with proxied(impairments=Impairments(delay_s=0.15)) as proxy, proxy.pair() as (client, there):
        begun = time.monotonic()
        client.sendall(b"ping")
        assert receive_exactly(there, 4) == b"ping"
        assert time.monotonic() - begun >= 0.15
        send_and_half_close(there, b"pong")
        assert receive_all(client) == b"pong"
        assert time.monotonic() - begun >= 0.3
        assert {event.direction for event in proxy.told("bytes_held", 2)} == {"to_target", "to_client"}


def test_a_rate_slows_bytes_down_and_loses_none() -> None:
    data = bytes(range(250)) * 80
    with proxied(impairments=Impairments(bytes_per_s=50_000)) as proxy, proxy.pair() as (client, there):
        begun = time.monotonic()
        send_and_half_close(client, data)
        assert receive_all(there) == data
        assert time.monotonic() - begun >= 0.35


def test_a_delayed_line_is_bounded() -> None:
    with proxied(impairments=Impairments(delay_s=3600.0)) as proxy, proxy.pair() as (client, _):
        client.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                sent += client.send(b"x" * 65_536)
        assert sent < 64 << 20


def test_a_side_that_has_not_got_all_its_bytes_is_reset_at_the_stop() -> None:
    with proxied(impairments=Impairments(bytes_per_s=5)) as proxy, proxy.pair() as (client, there):
        client.sendall(b"x" * 1_000)
        receive_exactly(there, 1)
        proxy.run.stop(drain_timeout_s=0.1)
        assert receive_until_reset(there)[1]


@pytest.mark.parametrize("held", [0.0, 0.02])
def test_a_connection_is_broken_off_after_so_many_bytes(held: float) -> None:
    with proxied(impairments=Impairments(drop_after=10, delay_s=held)) as proxy, proxy.pair() as (client, there):
        client.sendall(b"seven..")
        assert receive_exactly(there, 7) == b"seven.."
        there.sendall(b"123456")
        for sock, last in ((client, b"123"), (there, b"")):
            received, was_reset = receive_until_reset(sock)
            assert was_reset
            assert last.startswith(received), "a reset may destroy the last bytes"
        assert reason_of(proxy.run) == DROPPED
        dropped = proxy.told("connection_dropped")[0]
        assert dropped.bytes == 10
        assert sum(event.bytes for event in proxy.told("data_passed")) == 10


def test_what_stays_below_the_bound_is_not_broken_off() -> None:
    with proxied(impairments=Impairments(drop_after=10)) as proxy, proxy.pair() as (client, there):
        send_and_half_close(client, b"seven..")
        assert receive_all(there) == b"seven.."
        there.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""
        reason_of(proxy.run)
        assert not proxy.run.sink.named("connection_dropped")
