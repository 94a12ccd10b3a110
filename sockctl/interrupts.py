"""Ctrl-C, and other signals that interrupt what the main thread does."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator

SAME_SIGNAL_S = 0.1
"""Signals this close together are one: timeout(1) signals its command, and then the command's group as well."""


def make_interrupt() -> Callable[[int, object], None]:
    """Return a handler that raises KeyboardInterrupt, for signals that come close together only once.

    So what cleans up after the first one is not interrupted by the second one.
    """
    one_until = 0.0

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal one_until
        now = time.monotonic()
        if now >= one_until:
            one_until = now + SAME_SIGNAL_S
            raise KeyboardInterrupt

    return interrupt


@contextlib.contextmanager
def raise_interrupts() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt, unless this process has inherited to ignore it; main thread only."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # a job that a script has put into the background
        yield
        return
    signal.signal(signal.SIGINT, make_interrupt())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
