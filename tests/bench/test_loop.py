"""Waiting for many descriptors at once."""

import os
import time

import pytest

from sockctl.bench.loop import Loop
from sockctl.net.poller import READABLE, SelectorPoller
from tests.support.running import TIMEOUT_S


@pytest.mark.parametrize("poller", [None, SelectorPoller])
def test_a_loop_waits_for_short_times_too(poller: type[SelectorPoller] | None) -> None:
    loop = Loop(None if poller is None else poller())
    receiver, sender = os.pipe()
    heard: list[int] = []
    try:
        loop.watch(receiver, READABLE, heard.append)
        began = time.monotonic()
        loop.step(0.0005)
        loop.step(0)
        assert time.monotonic() - began < TIMEOUT_S
        assert not heard
        os.write(sender, b"x")
        loop.step(1.0)
        assert len(heard) == 1
        loop.forget(receiver)
        loop.forget(receiver)
        loop.step(0.001)
        assert len(heard) == 1
    finally:
        loop.close()
        os.close(receiver)
        os.close(sender)


def test_who_is_ended_by_anothers_work_is_not_called() -> None:
    loop = Loop()
    pipes = [os.pipe() for _ in range(2)]
    heard: list[int] = []

    def hear(_: int) -> None:
        heard.append(1)
        for receiver, _sender in pipes:
            loop.forget(receiver)

    try:
        for receiver, sender in pipes:
            loop.watch(receiver, READABLE, hear)
            os.write(sender, b"x")
        loop.step(1.0)
        assert heard == [1]
    finally:
        loop.close()
        for both in pipes:
            for descriptor in both:
                os.close(descriptor)


class NotingPoller(SelectorPoller):
    """A poller that waits like epoll: it rounds up. It notes for how long it is to wait, and doesn't."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float | None] = []

    def fileno(self) -> int:
        return -1

    def poll(self, timeout: float | None = None, maxevents: int = -1, /) -> list[tuple[int, int]]:  # noqa: ARG002
        self.waits_s.append(timeout)
        return []


def test_a_long_wait_does_not_end_too_late() -> None:
    """A message on a clock went out up to a millisecond late, which counted as the server's latency."""
    poller = NotingPoller()
    loop = Loop(poller)
    loop.step(0.0304)
    loop.close()
    assert poller.waits_s == [pytest.approx(0.0294)]
