"""Relayed connections with real sockets: bytes, ends, resets, slow sides, and the stop."""

import contextlib
import random
import select
import socket
import threading
import time

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.address import Endpoint
from sockctl.net.limits import Limits, Timeouts
from sockctl.proxy.reasons import TARGET_CLOSED, TARGET_RESET, TARGET_UNREACHABLE
from sockctl.proxy.relay import QUIET_S
from sockctl.services.echo import Echo
from tests.support.proxies import proxied
from tests.support.raw_services import MANY, reason_of, reset
from tests.support.running import (
    CLOSED_PORT,
    TIMEOUT_S,
    receive_all,
    receive_exactly,
    running,
    send_and_half_close,
    wait_until,
)

IN_FLIGHT_BYTES = 32 << 20
"""More than the kernel's buffers of two connections hold, on this machine."""


def send_in_pieces(sock: socket.socket, data: bytes, seed: int) -> None:
    """Send data in pieces of random sizes, then end."""
    sizes, at = random.Random(seed), 0
    while at < len(data):
        piece = data[at : at + sizes.choice((1, 7, 1000, 70_000, 300_000))]
        sock.sendall(piece)
        at += len(piece)
    sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(("up", "down"), [(400_001, 900_007), (1_500_000, 3), (0, 700_000), (5, 0)])
def test_every_byte_arrives_and_each_end_is_passed_on(up: int, down: int) -> None:
    there_data, back_data = random.Random(up).randbytes(up), random.Random(down + 1).randbytes(down)
    with proxied() as proxy, proxy.pair() as (client, there):
        senders = [
            threading.Thread(target=send_in_pieces, args=(client, there_data, 1)),
            threading.Thread(target=send_in_pieces, args=(there, back_data, 2)),
        ]
        got: dict[str, bytes] = {}
        receivers = [
            threading.Thread(target=lambda: got.update(there=receive_all(there))),
            threading.Thread(target=lambda: got.update(back=receive_all(client))),
        ]
        for thread in (*senders, *receivers):
            thread.start()
        for thread in (*senders, *receivers):
            thread.join()
        assert got == {"there": there_data, "back": back_data}
        ended = proxy.told("client_disconnected")[0]
        assert (ended.bytes_in, ended.bytes_out) == (up, down)
        passed = {"to_target": 0, "to_client": 0}
        for event in proxy.told("data_passed"):
            passed[event.direction] += event.bytes
        assert passed == {"to_target": up, "to_client": down}, "the events have every byte"
        assert {event.direction for event in proxy.told("side_ended", 2)} == {"to_target", "to_client"}


@pytest.mark.parametrize("client_first", [True, False])
def test_a_half_close_leaves_the_other_direction_open(client_first: bool) -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        first, second = (client, there) if client_first else (there, client)
        first.sendall(b"last words")
        first.shutdown(socket.SHUT_WR)
        assert receive_all(second) == b"last words"
        for _ in range(3):
            second.sendall(b"more")
            assert receive_exactly(first, 4) == b"more"
        second.shutdown(socket.SHUT_WR)
        assert receive_all(first) == b""
        assert reason_of(proxy.run) == (DisconnectReason.CLIENT_CLOSED if client_first else TARGET_CLOSED)


def test_several_clients_have_connections_of_their_own() -> None:
    with running(Echo()) as echo, proxied(MANY, target=Endpoint(echo.host, echo.port)) as proxy:
        blocks = [random.Random(number).randbytes(50_000 + number) for number in range(30)]
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(proxy.run.client()) for _ in blocks]
            senders = [
                threading.Thread(target=send_and_half_close, args=pair) for pair in zip(clients, blocks, strict=True)
            ]
            for sender in senders:
                sender.start()
            assert [receive_all(client) for client in clients] == blocks
            for sender in senders:
                sender.join()


def test_a_reset_by_the_client_is_passed_on() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        client.sendall(b"one")
        assert receive_exactly(there, 3) == b"one"
        reset(client)
        with pytest.raises(ConnectionResetError):
            there.recv(10)
        assert reason_of(proxy.run) is DisconnectReason.CLIENT_RESET


def test_a_reset_by_the_target_is_passed_on() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        there.sendall(b"one")
        assert receive_exactly(client, 3) == b"one"
        reset(there)
        with pytest.raises(ConnectionResetError):
            client.recv(10)
        assert reason_of(proxy.run) == TARGET_RESET
        assert "reset" in proxy.told("target_broken")[0].error.lower()


def test_a_reset_behind_a_half_close_is_passed_on() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        send_and_half_close(client, b"question")
        assert receive_all(there) == b"question"
        reset(client)
        assert reason_of(proxy.run) is DisconnectReason.CLIENT_RESET
        with pytest.raises(BrokenPipeError):  # reading tells an end once more
            there.send(b"answer")


def test_the_answer_of_a_target_that_leaves_before_it_has_read_all_arrives() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        client.sendall(b"x" * 200_000)
        there.sendall(b"413 too large")
        there.close()  # with unread bytes: its kernel sends a reset
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(100):
                received += part
                with contextlib.suppress(OSError):
                    client.sendall(b"x" * 100_000)
        assert received == b"413 too large"
        client.close()
        reason_of(proxy.run)


def test_a_client_whose_target_refuses_gets_a_reset() -> None:
    with proxied(target=Endpoint("127.0.0.1", CLOSED_PORT)) as proxy:
        with pytest.raises(ConnectionResetError), proxy.run.client() as client:  # it may come while connecting returns
            client.recv(10)
        assert reason_of(proxy.run) == TARGET_UNREACHABLE
        failed = proxy.told("target_failed")[0]
        assert "connection refused" in failed.happened
        assert failed.connection == 1


def push(sock: socket.socket) -> int:
    """Send without end until nothing more is taken for a while; return how many bytes were."""
    sock.setblocking(False)
    block, sent = b"x" * 65_536, 0
    while select.select([], [sock], [], 0.5)[1] and sent < IN_FLIGHT_BYTES:
        sent += sock.send(block)
    sock.settimeout(TIMEOUT_S)
    return sent


@pytest.mark.parametrize("from_client", [True, False])
def test_a_side_that_never_reads_stops_the_other_one(from_client: bool) -> None:
    with proxied() as proxy, proxy.pair() as (client, there), proxy.pair() as (client2, there2):
        sender, sleeper = (client, there) if from_client else (there, client)
        sent = push(sender)
        assert sent < IN_FLIGHT_BYTES, "the proxy holds no more than a read"
        client2.sendall(b"others go on")
        assert receive_exactly(there2, 12) == b"others go on"
        sleeper.sendall(b"and the other direction, too")
        assert receive_exactly(sender, 28)
        sender.shutdown(socket.SHUT_WR)
        assert len(receive_all(sleeper)) == sent


def test_a_stop_passes_on_what_came_and_lets_the_target_answer() -> None:
    begun = time.monotonic()
    with proxied() as proxy, proxy.pair() as (client, there):
        wait_until(lambda: time.monotonic() - begun > QUIET_S)  # the connection has been quiet, up to now
        client.sendall(b"question")
        stopper = threading.Thread(target=proxy.run.stop, args=(TIMEOUT_S,))
        stopper.start()
        assert receive_all(there) == b"question", "with an end behind it"
        send_and_half_close(there, b"answer")
        assert receive_all(client) == b"answer"
        stopper.join()
        assert proxy.run.stopped
        assert reason_of(proxy.run) is DisconnectReason.SERVER_STOPPING


def test_a_stop_waits_for_no_idle_client() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        there.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
        assert proxy.run.stop(drain_timeout_s=60.0)
        assert receive_all(client) == b""
        assert receive_all(there) == b""


def test_a_stop_ends_at_its_time_where_the_target_never_answers() -> None:
    with proxied() as proxy, proxy.pair() as (client, there):
        client.sendall(b"question")
        assert receive_exactly(there, 8) == b"question"
        assert proxy.run.stop(drain_timeout_s=0.2)
        assert reason_of(proxy.run) is DisconnectReason.DRAIN_TIMEOUT
        with contextlib.suppress(ConnectionResetError):
            assert receive_all(client) == b""


def test_an_idle_connection_ends_on_both_sides() -> None:
    with proxied(timeouts=Timeouts(idle_s=2.0)) as proxy, proxy.pair() as (client, there):
        assert receive_all(there) == b""
        assert receive_all(client) == b""
        assert reason_of(proxy.run) is DisconnectReason.IDLE_TIMEOUT


def test_an_idle_connection_ends_though_nothing_may_be_read() -> None:
    with proxied(timeouts=Timeouts(idle_s=3.0)) as proxy, proxy.pair() as (client, _):
        push(client)
        assert reason_of(proxy.run) is DisconnectReason.IDLE_TIMEOUT


def test_a_defect_ends_one_connection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxied() as proxy, proxy.pair() as (client, there), proxy.pair() as (client2, there2):
        monkeypatch.setattr("sockctl.proxy.traffic.RelayTraffic.emit_end", None)
        client.shutdown(socket.SHUT_WR)
        assert reason_of(proxy.run) is DisconnectReason.INTERNAL_ERROR
        assert receive_all(there) == b""
        client2.sendall(b"goes on")
        assert receive_exactly(there2, 7) == b"goes on"
        assert "NoneType" in proxy.told("service_failed")[0].error


def test_clients_beyond_the_limit_are_refused_before_the_target_hears_of_them() -> None:
    with proxied(Limits(max_clients=1)) as proxy, proxy.pair():
        with proxy.run.client() as second:
            assert second.recv(10) == b""
        assert proxy.told("client_refused")
        assert len(proxy.told("target_connected")) == 1
