"""Waiting for one descriptor, and the signals that come meanwhile."""

import os
import select
import signal
import socket
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from sockctl.net.wait import wait_for
from sockctl.signals import StopSignals


def test_it_waits_for_one_descriptor_or_for_the_time() -> None:
    one, other = socket.socketpair()
    with one, other:
        with pytest.raises(TimeoutError):
            wait_for(one.fileno(), select.POLLIN, 0.01)
        other.send(b"x")
        wait_for(one.fileno(), select.POLLIN, 60.0)
    with pytest.raises(TimeoutError):
        wait_for(None, 0, 0.01)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Have a signal come just before the first wait: no handler can run there. Return what each wait has given."""
    make, gave = select.poll, list[Any]()

    def wait(poll: Any, timeout_ms: float) -> Any:
        if not gave:
            os.kill(os.getpid(), signal.SIGUSR1)
        gave.append(poll.poll(timeout_ms))
        return gave[-1]

    def make_poll() -> Any:
        poll = make()
        return SimpleNamespace(register=poll.register, poll=partial(wait, poll))

    monkeypatch.setattr(select, "poll", make_poll)
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    yield gave
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_that_comes_just_before_the_wait_ends_it(waits: list[Any]) -> None:
    with pytest.raises(TimeoutError):
        wait_for(None, 0, 0.1)
    assert [len(one) for one in waits] == [1, 0], "poll() returned for the signal, and waited for the rest of the time"
    assert signal.set_wakeup_fd(-1) == -1, "nothing is left"


def test_a_signal_during_the_wait_reaches_those_who_wait_for_signals(waits: list[Any]) -> None:
    with StopSignals() as signals:
        with pytest.raises(TimeoutError):
            wait_for(None, 0, 0.1)
        signals.wake()
        assert (signals.wait(), signals.wait()) == (signal.SIGUSR1, None)
    assert len(waits) == 2
