"""Waiting for many descriptors at once."""

import os
import time

import pytest

from sockctl.bench.loop import Loop
from sockctl.net.poller import READABLE, SelectorPoller


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
        assert time.monotonic() - began < 0.5
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
