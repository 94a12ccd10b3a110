"""Clients whose connection takes nothing, breaks, or never comes to be."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sockctl.bench.chat import ChatPool
from sockctl.bench.echo import EchoPool
from sockctl.bench.loop import Loop
from sockctl.bench.pacing import Pacing
from sockctl.bench.plan import Kind, Where
from sockctl.bench.pool import ClientPool, WorkerContext
from sockctl.bench.stats import Stats
from sockctl.net.poller import READABLE, WRITABLE
from tests.support.bench import plan


class Line:
    """A connection that does what it is told."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fails: type[OSError] | None = None

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, data: bytes) -> int:
        self._fail()
        return self.sock.send(data[:10])

    def recv_into(self, buffer: bytearray) -> int:
        self._fail()
        return self.sock.recv_into(buffer)

    def close(self) -> None:
        self.sock.close()

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


class Stage:
    """One client with such a connection."""

    def __init__(self, kind: Kind) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.plan = plan(self._listener.getsockname()[1], kind, clients=1, size_bytes=64)
        self.stats = Stats()
        self.loop = Loop()
        self.pace = Pacing(self.plan, self.stats)
        context = WorkerContext(self.plan, self.loop, self.pace, self.stats, [self._hold])
        self.pool: ClientPool = EchoPool(context) if kind is Kind.ECHO else ChatPool(context)
        self.client: Any = self.pool.clients[0]
        self.client.open(0.0)
        self.other, _ = self._listener.accept()
        self.other.settimeout(5)
        self.loop.step(5)  # it is connected
        self.pace.start(0.0)

    def _hold(self, sock: socket.socket) -> Any:
        """Take the client's connection, in the place of TLS."""
        self.line = Line(sock)
        return self.line

    def close(self) -> None:
        self.pool.close()
        self.line.close()
        self._listener.close()
        self.other.close()
        self.loop.close()


@pytest.fixture(params=[Kind.ECHO, Kind.CHAT])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    one = Stage(request.param)
    yield one
    one.close()


def say(stage: Stage) -> None:
    if stage.plan.kind is Kind.CHAT:
        stage.other.sendall(b"sockctl/1 chat\r\n")  # the hello is sent, 10 bytes at a time
        stage.loop.step(1)
    else:
        stage.client.joined = True
        stage.pool.say(0.0)


def test_what_is_not_taken_at_once_is_sent_later(stage: Stage) -> None:
    stage.line.fails = BlockingIOError
    if stage.plan.kind is Kind.ECHO:
        say(stage)
        stage.line.fails = None
    else:
        stage.line.fails = None
        say(stage)
    got = b""
    while len(got) < 60:
        stage.loop.step(0.1)
        got += stage.other.recv(100)
    assert not stage.stats.errors


def test_nothing_there_after_all(stage: Stage) -> None:
    stage.line.fails = BlockingIOError
    stage.client.ready(READABLE)
    stage.client.ready(WRITABLE)
    assert not stage.client.gone


def test_broken_while_it_receives(stage: Stage) -> None:
    stage.line.fails = ConnectionResetError
    stage.client.ready(READABLE)
    assert stage.stats.errors == {"reset": 1}
    stage.client.ready(READABLE | WRITABLE)
    stage.client.fail("closed")
    assert stage.stats.errors == {"reset": 1}, "one error a client"


def test_broken_while_it_sends() -> None:
    one = Stage(Kind.ECHO)
    one.client.joined = True
    one.line.fails = ConnectionResetError
    one.pool.say(0.0)
    one.pool.say(0.0)
    assert one.stats.errors == {"reset": 1}
    one.close()
    two = Stage(Kind.CHAT)
    two.line.fails = BrokenPipeError
    two.client.wire.outgoing += b"x"
    two.client.flush()
    assert two.stats.errors == {"reset": 1}
    two.close()


def test_an_address_that_is_refused_at_once() -> None:
    there = Where(name="x:1", family=socket.AF_INET, address=("255.255.255.255", 1))
    stats = Stats()
    loop = Loop()
    own = plan(servers=(there,), clients=1)
    pool = EchoPool(WorkerContext(own, loop, Pacing(own, stats), stats, [None]))
    pool.open()
    pool.settle(0.0)
    assert pool.settle(0.0)
    assert stats.errors == {"not_connected": 1}
    assert pool.all_out
    loop.close()
