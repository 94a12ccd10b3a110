"""Signals that ask a process to end."""

import os
import signal

from sockctl.signals import StopSignals


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


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
