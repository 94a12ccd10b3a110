"""The handler of a service of bytes: it admits the client at once, and gives the service the bytes unchanged."""

import socket
from collections.abc import Iterator
from typing import ClassVar
from unittest.mock import Mock

import pytest

from sockctl.net.connection import Connection
from sockctl.net.raw_handler import RawHandler
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import Conversation, RawService
from tests.support.connections import connected


class Whisper(RawService, Conversation[RawPeer]):
    """Says what it hears in small letters, after a word in a conversation; and goes on where that is `stay`."""

    name: ClassVar[str] = "whisper"
    does = "It whispers."

    def converse(self, peer: RawPeer) -> None:
        if peer.receive() == b"stay":
            peer.watch()
        peer.send(b"ready ")

    def received(self, peer: RawPeer, data: memoryview) -> None:
        peer.post(bytes(data).lower())

    def ended(self, peer: RawPeer) -> None:
        peer.post(b" bye")


class Stage:
    """A connection, its handler, and its client."""

    def __init__(self, connection: Connection, client: socket.socket) -> None:
        self.connection = connection
        self.client = client
        self.service = Whisper()
        self.event_loop = Mock()
        self.handler = RawHandler(connection, self.event_loop, self.service)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with connected() as (connection, client):
        yield Stage(connection, client)


def test_a_client_is_in_at_once(stage: Stage) -> None:
    stage.handler.opened()
    assert stage.connection.admitted


def test_a_client_is_in_when_its_tls_stands(stage: Stage) -> None:
    stage.handler.resumed()
    assert stage.connection.admitted


def test_the_service_hears_all_that_is_read_and_the_end(stage: Stage) -> None:
    stage.handler.received(memoryview(b"HELLO"))
    stage.handler.ended()
    assert stage.client.recv(100) == b"hello bye"


@pytest.mark.parametrize(("word", "watching"), [(b"stay", True), (b"go", False)])
def test_a_conversation_may_go_on_as_reactions(stage: Stage, word: bytes, *, watching: bool) -> None:
    stage.client.sendall(word)
    stage.handler.converse(stage.service)
    assert stage.client.recv(100) == b"ready "
    assert stage.handler.watching == watching
    assert stage.connection.admitted
