"""Waiting for one descriptor, in a form that a caller can replace, to have a wait end earlier."""

import select
from collections.abc import Callable

from sockctl.deadline import Deadline

Wait = Callable[[int | None, int, float], None]
"""Waits until a descriptor is ready for an event of `select.poll`, for a number of seconds at most; None for a pause.

It raises TimeoutError when the time is up. All other errors are the caller's own, and pass through.
"""


def wait_for(fd: int | None, event: int, timeout_s: float) -> None:
    """Wait for nothing else than the descriptor.

    Raises:
        TimeoutError: The time is up.
    """
    poll = select.poll()
    if fd is not None:
        poll.register(fd, event)
    if not poll.poll(Deadline.after(timeout_s).left_ms):
        raise TimeoutError
