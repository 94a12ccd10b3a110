import dataclasses

import pytest

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from sockctl.explain.topics.blocking import TOPIC, Blocking
from sockctl.explain.waits import LIMIT_S, WAIT_S, Outcome


def check(measured: Blocking) -> None:
    for one in measured.operations:
        assert not one.blocking.error
        assert one.blocking.seconds >= 0.8 * WAIT_S
        assert one.limited.error == "TimeoutError"
        assert one.limited.seconds >= LIMIT_S
        assert one.free.error == "BlockingIOError"
        assert one.free.seconds < one.blocking.seconds
    assert measured.select_s >= 0.8 * WAIT_S
    assert measured.select_ready == (1,)


def test_each_call_waits_gives_up_or_refuses(lab: PacketLab) -> None:
    measured: Blocking = TOPIC.measure(lab)
    assert [one.call for one in measured.operations] == ["accept()", "recv()", "send()", "connect()"]
    check(measured)
    assert "each of 4 calls waited" in next(iter(TOPIC.conclude(measured)))


@pytest.fixture
def measured(loopback: Loopback) -> Blocking:
    figures: Blocking = TOPIC.measure(loopback)
    return figures


def test_loopback_shows_all_but_connect(measured: Blocking) -> None:
    assert [one.call for one in measured.operations] == ["accept()", "recv()", "send()"]
    check(measured)
    assert len(list(TOPIC.draw(measured))) == 2
    other = Outcome(error="", seconds=0.001)
    first_call = dataclasses.replace(measured.operations[0], blocking=other, free=other)
    odd = dataclasses.replace(measured, operations=(first_call, *measured.operations[1:]))
    first, second = TOPIC.conclude(odd)
    assert "accept() did not wait" in first
    assert "of the calls accept() did not refuse" in second
