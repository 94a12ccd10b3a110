"""Ctrl-C, and other signals that interrupt what the main thread does."""

import contextlib
import os
import signal
import time

import pytest

from sockctl.interrupts import SAME_SIGNAL_S, raise_interrupts


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_signals_close_together_are_one() -> None:
    before = signal.getsignal(signal.SIGINT)
    with raise_interrupts():
        for _ in range(20):  # on a busy machine, the second one may come too late to be the same
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                interrupt()
            with contextlib.suppress(KeyboardInterrupt):
                interrupt()
                break
            assert time.monotonic() - began >= SAME_SIGNAL_S
            time.sleep(SAME_SIGNAL_S)
        else:
            pytest.fail("the second signal always counted")
        time.sleep(SAME_SIGNAL_S)
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with raise_interrupts():
            interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
