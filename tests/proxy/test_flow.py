import math
import socket
from collections.abc import Iterator

import pytest

from sockctl.proxy.flow import Flow
from sockctl.proxy.relay_socket import RelaySocket
from sockctl.proxy.shaper import Shaper
from tests.support.running import TIMEOUT_S, receive_all, receive_exactly


@pytest.fixture
def ends() -> Iterator[list[socket.socket]]:
    """Return the source and the sink of a direction, and the outer end of the sink."""
    (source, other), (sink, far) = socket.socketpair(), socket.socketpair()
    far.settimeout(TIMEOUT_S)
    with source, other, sink, far:
        yield [source, sink, far]


def make_flow(ends: list[socket.socket], shaper: Shaper | None = None) -> Flow:
    return Flow(RelaySocket(ends[0]), RelaySocket(ends[1]), towards_target=True, shaper=shaper)


def test_a_rest_that_the_sink_does_not_take_stops_the_reading(ends: list[socket.socket]) -> None:
    flow = make_flow(ends)
    assert flow.may_read
    sent = 0
    while flow.may_read:
        flow.pass_on(memoryview(b"x" * 100_000), 0.0)
        sent += 100_000
    assert len(flow.rest) < 100_000
    assert not flow.is_empty
    flow.end(0.0)
    assert not flow.pass_end_on(), "bytes are still to go"
    ends[2].setblocking(True)
    got = 0
    while got < sent:
        got += len(ends[2].recv(65_536))
        flow.flush(0.0)
    assert flow.pass_end_on()
    assert not flow.pass_end_on(), "once"
    assert receive_all(ends[2]) == b""
    assert flow.bytes == sent


def test_a_line_holds_bytes_and_the_end_back(ends: list[socket.socket]) -> None:
    flow = make_flow(ends, Shaper(delay_s=1.0, bytes_per_s=None))
    flow.pass_on(memoryview(b"one"), 5.0)
    flow.end(5.5)
    assert flow.due_at == 6.0
    flow.flush(6.0)
    assert receive_exactly(ends[2], 3) == b"one"
    assert not flow.pass_end_on()
    flow.flush(6.5)
    assert flow.due_at == math.inf
    assert flow.pass_end_on()
    assert receive_all(ends[2]) == b""


def test_what_is_kept_is_forgotten_for_a_broken_sink(ends: list[socket.socket]) -> None:
    flow = make_flow(ends, Shaper(delay_s=1.0, bytes_per_s=None))
    flow.pass_on(memoryview(b"one"), 5.0)
    flow.discard()
    assert flow.is_empty
    assert flow.is_through
    assert not flow.may_read
