"""Signals that ask a process to end."""

import os
import signal
import time

import pytest

from sockctl.signals import SAME_SIGNAL_S, raise_interrupts


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_signals_close_together_are_one() -> None:
    before = signal.getsignal(signal.SIGINT)
    with raise_interrupts():
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        began = time.monotonic()
        interrupt()
        assert time.monotonic() - began < SAME_SIGNAL_S, "this machine was too slow to see it"
        time.sleep(SAME_SIGNAL_S)
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGINT) is before
