import dataclasses

import pytest

from sockctl.explain.network import Loopback
from sockctl.explain.topic import Table
from sockctl.explain.topics.buffers import TOPIC, Buffers


@pytest.fixture
def measured(loopback: Loopback) -> Buffers:
    figures: Buffers = TOPIC.measure(loopback)
    return figures


def test_the_kernels_take_so_much_and_no_more(measured: Buffers) -> None:
    for one in (measured.usual, measured.small):
        assert one.refusal == "BlockingIOError"
        assert one.taken_bytes == one.received_bytes > 0
        assert one.unsent_bytes is not None
        assert one.unread_bytes is not None
        assert 0 < one.unread_bytes <= one.unsent_bytes + one.unread_bytes <= one.taken_bytes
        assert one.room_after
    assert measured.small.taken_bytes < measured.usual.taken_bytes / 2
    first, second = TOPIC.conclude(measured)
    assert "then raised BlockingIOError" in first
    assert "send() went on" in second
    assert list(TOPIC.draw(measured))


def test_what_did_not_come_out_is_not_claimed(measured: Buffers) -> None:
    endless = dataclasses.replace(measured.usual, refusal="", unsent_bytes=None)
    stuck = dataclasses.replace(measured.small, room_after=False)
    other = dataclasses.replace(measured, usual=endless, small=stuck)
    first, second = TOPIC.conclude(other)
    assert "No send() refused" in first
    assert "refused" in second
    (table,) = TOPIC.draw(other)
    assert isinstance(table, Table)
    assert "?" in table.rows[0]
