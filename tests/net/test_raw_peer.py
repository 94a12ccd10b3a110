"""One client of a service of bytes, as the service sees it."""

import select
import socket
import time
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from sockctl.errors import PeerGoneError
from sockctl.events.reasons import DisconnectReason
from sockctl.net.connection import Connection
from sockctl.net.raw_peer import HALF_CLOSED, RawPeer
from tests.support.connections import ADDRESS, connected


class Stage:
    """A connection, its peer, and its client."""

    def __init__(self, connection: Connection, client: socket.socket) -> None:
        self.connection = connection
        self.client = client
        self.event_loop = Mock()
        self.peer = RawPeer(connection, self.event_loop)


@pytest.fixture
def stage() -> Iterator[Stage]:
    interrupter, interrupted = socket.socketpair()
    with interrupter, interrupted, connected() as (connection, client):
        connection.interrupt_fd = interrupted.fileno()
        yield Stage(connection, client)


def test_the_service_learns_number_and_address(stage: Stage) -> None:
    assert (stage.peer.number, stage.peer.address) == (stage.connection.number, stage.connection.host)


def test_bytes_pass_both_ways_unchanged(stage: Stage) -> None:
    stage.client.sendall(b"\x00\xff")
    stage.peer.send(stage.peer.receive())
    assert stage.client.recv(100) == b"\x00\xff"


def test_posted_bytes_are_sent_at_once(stage: Stage) -> None:
    stage.peer.post(b"news")
    assert stage.client.recv(100) == b"news"


def test_no_bytes_stand_for_the_end_of_the_input(stage: Stage) -> None:
    stage.client.shutdown(socket.SHUT_WR)
    assert stage.peer.receive() == b""


def test_watching_is_noted(stage: Stage) -> None:
    assert not stage.peer.watching
    stage.peer.watch()
    assert stage.peer.watching


def test_the_event_loop_closes_for_the_service(stage: Stage) -> None:
    stage.peer.close()
    stage.event_loop.close.assert_called_once_with(stage.connection, DisconnectReason.SERVER_CLOSED)


def test_a_conversation_waits_for_the_client_and_for_others_at_once(stage: Stage) -> None:
    reading, writing = socket.socketpair()
    with reading, writing:
        others = {reading.fileno(): select.POLLIN}
        with pytest.raises(TimeoutError):
            stage.peer.wait(others, for_input=True, until=time.monotonic(), stopping=False)
        writing.send(b"x")
        assert stage.peer.wait(others, for_input=True, stopping=False) == {reading.fileno()}
        stage.client.sendall(b"y")
        assert stage.peer.wait(others, for_input=True, stopping=False) == {reading.fileno(), stage.peer.fileno()}
        assert stage.peer.receive_ready() == b"y"
        assert stage.peer.receive_ready() is None
        assert stage.peer.wait(others, for_input=False, stopping=False) == {reading.fileno()}


def test_queued_bytes_wait_for_the_client(stage: Stage) -> None:
    while not stage.peer.queued_bytes:
        stage.peer.send_ready(bytes(65_536))
    queued = stage.peer.queued_bytes
    stage.peer.send_ready()
    assert stage.peer.queued_bytes == queued
    stage.client.recv(1 << 20)
    assert stage.peer.wait({}, for_input=False, stopping=False) == {stage.peer.fileno()}
    stage.peer.send_ready()
    assert stage.peer.queued_bytes < queued


def test_output_ends_before_input(stage: Stage) -> None:
    stage.peer.end_output()
    assert stage.client.recv(1) == b""
    stage.client.sendall(b"still here")
    assert stage.peer.receive_ready() == b"still here"
    stage.client.shutdown(socket.SHUT_WR)
    assert stage.peer.receive_ready() == b""
    assert stage.peer.input_ended


def test_a_client_that_hangs_up_is_heard_to_the_end(stage: Stage) -> None:
    stage.client.sendall(b"last words")
    stage.client.close()
    assert stage.peer.wait({}, for_input=False, stopping=False) == set()
    assert stage.peer.hung_up
    assert stage.peer.receive_ready() == b"last words"
    assert stage.peer.receive_ready() == b""


def test_a_conversation_may_go_on_while_the_server_stops(stage: Stage) -> None:
    stage.connection.reason = DisconnectReason.SERVER_STOPPING
    assert stage.peer.stopping
    with pytest.raises(PeerGoneError):
        stage.peer.wait({}, for_input=True, stopping=False)
    stage.client.sendall(b"x")
    assert stage.peer.wait({}, for_input=True, stopping=True) == {stage.peer.fileno()}
    stage.connection.reason = DisconnectReason.DRAIN_TIMEOUT
    with pytest.raises(PeerGoneError):
        stage.peer.wait({}, for_input=True, stopping=True)


def test_the_first_reason_to_give_up_counts(stage: Stage) -> None:
    assert isinstance(stage.peer.give_up(DisconnectReason.PROTOCOL_ERROR), PeerGoneError)
    stage.peer.give_up(DisconnectReason.SERVER_CLOSED)
    assert stage.peer.reason is DisconnectReason.PROTOCOL_ERROR


def test_a_client_of_tcp_is_probed_soon() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as sock,
    ):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        RawPeer(Connection(sock, ADDRESS, 1, portion=1024, send_s=1), Mock()).probe_soon()
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == HALF_CLOSED.keepalive_s


def test_a_client_at_a_unix_socket_needs_no_probes(stage: Stage) -> None:
    stage.peer.probe_soon()
