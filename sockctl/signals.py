"""Signals that ask a process to end."""

import contextlib
import signal
import time
from collections.abc import Iterator

__all__ = ["SAME_SIGNAL_S", "interrupts"]

SAME_SIGNAL_S = 0.1
"""Signals this close together are one: timeout(1) signals its command, and then the command's group as well."""


@contextlib.contextmanager
def interrupts() -> Iterator[None]:
    """Have each Ctrl-C raise KeyboardInterrupt, and signals that come close together only one; main thread only."""
    one_until = 0.0

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal one_until
        now = time.monotonic()
        if now >= one_until:
            one_until = now + SAME_SIGNAL_S
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
