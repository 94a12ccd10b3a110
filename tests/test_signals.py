"""Signals that ask a process to end."""

import contextlib
import os
import signal
import time

import pytest

from sockctl.signals import SAME_SIGNAL_S, StopSignals, raise_interrupts


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


def test_signals_that_a_process_sees_late_are_still_one() -> None:
    with StopSignals() as signals:
        interrupt()
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.wait() is signal.SIGINT
        assert signals.skip(0.0), "the time has passed before the second one is seen"
        interrupt()
        assert signals.wait() is signal.SIGINT, "what comes after that counts"
        signals.wake()
        assert not signals.skip(60.0)
