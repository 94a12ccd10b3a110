"""The ends of a relay that no loop drives: what is rare with a real one."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sockctl.events.journal import Journal
from sockctl.net.poller import READABLE, WRITABLE
from sockctl.proxy.flow import Flow
from sockctl.proxy.relay import Relay
from sockctl.proxy.relay_socket import ClientSocket, RelaySocket
from sockctl.proxy.traffic import RelayTraffic
from tests.support.connections import connected
from tests.support.running import MemorySink

HUNG_UP = 0x010
"""The value is EPOLLHUP's."""


class PlayedStage:
    """A loop that waits for nothing: the test says what has happened."""

    def __init__(self) -> None:
        self.buffer = bytearray(65_536)
        self.view = memoryview(self.buffer)
        self.waits: dict[RelaySocket, int] = {}

    def wait_for(self, side: RelaySocket, interest: int) -> None:
        self.waits[side] = side.interest = interest

    def forget(self, side: RelaySocket) -> None:
        self.waits.pop(side, None)

    def read_soon(self, relay: Relay, flow: Flow) -> None:  # noqa: ARG002  as a loop takes them
        raise AssertionError("plain sockets keep nothing")

    def set_timer(self, relay: Relay, at: float) -> None:
        pass

    def add_sum(self, traffic: RelayTraffic, flow: Flow, due_at: float) -> None:
        pass

    def remove(self, relay: Relay) -> None:
        pass


class Played:
    """A relay over Unix sockets, and the outer ends of both sides."""

    def __init__(self, connection: Any, client: socket.socket, journal: Journal) -> None:
        inner, self.there = socket.socketpair()
        self.client = client
        self.stage = PlayedStage()
        self.client_side, self.target_side = ClientSocket(connection), RelaySocket(inner)
        self.released = 0
        traffic = RelayTraffic(
            connection, journal, self.stage, inspector=None, hex_dump=False, is_json=False, dumps=None, now=0.0
        )
        up = Flow(self.client_side, self.target_side, towards_target=True, shaper=None)
        down = Flow(self.target_side, self.client_side, towards_target=False, shaper=None)
        self.relay = Relay(
            self.client_side, self.target_side, up, down, traffic, release=self._release, drop_after=None
        )
        self.relay.start(self.stage)

    def _release(self) -> None:
        self.released += 1

    def react(self, side: RelaySocket, events: int) -> None:
        self.relay.react(side, events, 1.0)


@pytest.fixture
def played() -> Iterator[Played]:
    with connected() as (connection, client), contextlib.closing(Journal(MemorySink(), service="proxy")) as journal:
        made = Played(connection, client, journal)
        with made.there:
            yield made
            made.relay.finish(None)


def test_a_target_that_has_ended_and_hangs_up_while_bytes_wait_for_it(played: Played) -> None:
    played.there.shutdown(socket.SHUT_WR)
    played.react(played.target_side, READABLE)
    waited = 0
    while played.stage.waits[played.client_side]:
        played.client.sendall(b"x" * 1_000)
        waited += 1_000
        played.react(played.client_side, READABLE)
    assert played.stage.waits[played.target_side] == WRITABLE
    played.there.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # the rest hasn't gone
        while played.there.recv(waited):  # so that the hang-up is no error
            pass
    played.there.close()
    played.react(played.target_side, WRITABLE | HUNG_UP)
    assert played.relay.is_over
    assert played.released == 1
