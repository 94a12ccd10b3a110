"""The connections of an event thread: what the poller is told, and whose time is up."""

import contextlib
import math
from collections.abc import Iterator

import pytest

from sockctl.net.connection import Connection
from sockctl.net.connection_table import ConnectionTable
from sockctl.net.poller import READABLE, WRITABLE, open_poller
from tests.support.connections import connected


class Stage:
    """A table of three connections, and its poller."""

    def __init__(self, connections: list[Connection]) -> None:
        self.poller = open_poller()
        self.table = ConnectionTable(self.poller)
        self.connections = connections
        for one in connections:
            self.table.add(one)

    def ready(self) -> list[tuple[int, int]]:
        return self.poller.poll(0)

    def expired(self, now: float) -> list[Connection]:
        self.table.now = now
        expired = self.table.remove_expired()
        self.table.find_next_deadline()
        return expired


@pytest.fixture
def stage() -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        one = Stage([stack.enter_context(connected(number))[0] for number in (1, 2, 3)])
        stack.callback(one.poller.close)
        yield one


def test_the_poller_knows_only_those_that_are_waited_for(stage: Stage) -> None:
    first = stage.connections[0]
    assert stage.ready() == []
    stage.table.wait_for(first, WRITABLE)
    stage.table.wait_for(first, WRITABLE)
    assert stage.ready() == [(first.fd, WRITABLE)]
    stage.table.wait_for(first, READABLE)
    assert stage.ready() == []
    stage.table.wait_for(first, READABLE | WRITABLE)
    assert stage.ready() == [(first.fd, WRITABLE)]
    stage.table.wait_for(first, 0)
    assert stage.ready() == []
    stage.table.wait_for(first, 0)


def test_whose_deadline_has_come(stage: Stage) -> None:
    first, second, third = stage.connections
    assert stage.table.due_at == math.inf
    for connection, at in ((first, 30.0), (second, 20.0), (third, 40.0)):
        stage.table.set_deadline(connection, at)
    assert stage.table.due_at == 20.0
    assert stage.expired(30.0) == [second, first]
    assert stage.table.due_at == 40.0
    assert stage.expired(39.0) == []


def test_a_deadline_takes_the_place_of_the_one_before(stage: Stage) -> None:
    first = stage.connections[0]
    stage.table.set_deadline(first, 20.0)
    stage.table.set_deadline(first, 50.0)
    stage.table.set_deadline(first, math.inf)
    assert stage.expired(49.0) == []
    stage.table.set_deadline(first, 60.0, sooner_only=True)
    assert stage.expired(50.0) == [first]
    stage.table.set_deadline(first, 70.0, sooner_only=True)
    stage.table.set_deadline(first, 65.0, sooner_only=True)
    assert stage.expired(65.0) == [first]


def test_who_is_removed_has_no_deadline(stage: Stage) -> None:
    first, *others = stage.connections
    stage.table.set_deadline(first, 20.0)
    stage.table.remove(first)
    assert list(stage.table.connections.values()) == others
    assert stage.expired(30.0) == []
