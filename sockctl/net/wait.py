"""Waiting for one descriptor, in a form that a caller can replace, to have a wait end earlier."""

import select
from collections.abc import Callable

from sockctl.deadline import Deadline
from sockctl.signals import signals_as_bytes

Wait = Callable[[int | None, int, float], None]
"""Waits until a descriptor is ready for an event of `select.poll`, for a number of seconds at most; None for a pause.

It raises TimeoutError when the time is up. All other errors are the caller's own, and pass through.
"""


def wait_for(fd: int | None, event: int, timeout_s: float) -> None:
    """Wait for nothing else than the descriptor. In the main thread, a signal's handler runs at once and may end it.

    Raises:
        TimeoutError: The time is up.
    """
    deadline = Deadline.after(timeout_s)
    while True:
        with signals_as_bytes() as signals:
            poll = select.poll()
            if fd is not None:
                poll.register(fd, event)
            if signals is not None:
                poll.register(signals, select.POLLIN)
            ready = [one for one, _ in poll.poll(deadline.left_ms)]
        if fd in ready:
            return
        if not ready:
            raise TimeoutError
