"""One client of a service of bytes, as the service sees it."""

import socket
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.connection import Connection
from sockctl.net.raw_peer import RawPeer
from tests.support.connections import connected


class Stage:
    """A connection, its peer, and its client."""

    def __init__(self, connection: Connection, client: socket.socket) -> None:
        self.connection = connection
        self.client = client
        self.event_loop = Mock()
        self.peer = RawPeer(connection, self.event_loop)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with connected() as (connection, client):
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
