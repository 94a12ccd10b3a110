import math
import socket
from collections.abc import Iterator

import pytest

from sockctl.proxy.line import Line
from sockctl.proxy.side import Side
from sockctl.proxy.way import Way
from tests.support.running import TIMEOUT_S, receive_all, receive_exactly


@pytest.fixture
def ends() -> Iterator[list[socket.socket]]:
    """Return the source and the sink of a direction, and the outer end of the sink."""
    (source, other), (sink, far) = socket.socketpair(), socket.socketpair()
    far.settimeout(TIMEOUT_S)
    with source, other, sink, far:
        yield [source, sink, far]


def make_way(ends: list[socket.socket], line: Line | None = None) -> Way:
    return Way(Side(ends[0]), Side(ends[1]), towards_target=True, line=line)


def test_a_rest_that_the_sink_does_not_take_stops_the_reading(ends: list[socket.socket]) -> None:
    way = make_way(ends)
    assert way.may_read
    sent = 0
    while way.may_read:
        way.pass_on(memoryview(b"x" * 100_000), 0.0)
        sent += 100_000
    assert len(way.rest) < 100_000
    assert not way.is_empty
    way.end(0.0)
    assert not way.pass_end_on(), "bytes are still to go"
    ends[2].setblocking(True)
    got = 0
    while got < sent:
        got += len(ends[2].recv(65_536))
        way.flush(0.0)
    assert way.pass_end_on()
    assert not way.pass_end_on(), "once"
    assert receive_all(ends[2]) == b""
    assert way.bytes == sent


def test_a_line_holds_bytes_and_the_end_back(ends: list[socket.socket]) -> None:
    way = make_way(ends, Line(delay_s=1.0, bytes_per_s=None))
    way.pass_on(memoryview(b"one"), 5.0)
    way.end(5.5)
    assert way.due_at == 6.0
    way.flush(6.0)
    assert receive_exactly(ends[2], 3) == b"one"
    assert not way.pass_end_on()
    way.flush(6.5)
    assert way.due_at == math.inf
    assert way.pass_end_on()
    assert receive_all(ends[2]) == b""


def test_what_is_kept_is_forgotten_for_a_broken_sink(ends: list[socket.socket]) -> None:
    way = make_way(ends, Line(delay_s=1.0, bytes_per_s=None))
    way.pass_on(memoryview(b"one"), 5.0)
    way.discard()
    assert way.is_empty
    assert way.is_through
    assert not way.may_read
