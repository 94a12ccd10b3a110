"""Busy polling: an event thread polls for a moment before it sleeps, as long as that pays.

A client may wait for each reply before it sends again. If the event thread sleeps in between, the kernel must wake the
thread, and often a sleeping core, for every message, which takes longer than the reply. So the thread polls for a
moment, and the next message finds it awake. Linux does the same with network cards (busy polling, whose documentation
recommends these 50 µs) and in an idle guest (haltpoll).

Polling in vain costs a core that moment, so it must pay more often than not. After polling in vain, the thread sleeps
at once for a number of waits, twice as many each time; after polling with success, that number is halved. So no client
keeps a server awake by an occasional message.
"""

import time
from collections.abc import Callable

Poll = Callable[[float, int], list[tuple[int, int]]]
MOMENT_S = 50e-6
"""How long the thread polls before it sleeps."""
MAX_WAITS = 1024
"""The most waits for which the thread sleeps at once, before it polls again."""


class BusyPolling:
    """Waits in place of a poller; each event thread has its own.

    Args:
        poll: The poller's function: takes seconds and the largest number of results, and returns the ready descriptors.
        moment_s: How long to poll before sleeping.
        clock: Returns the time in seconds.
    """

    def __init__(self, poll: Poll, *, moment_s: float = MOMENT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._poll = poll
        self._clock = clock
        self._moment_s = moment_s
        self._waits = 1  # how many waits sleep at once after the next polling in vain
        self._left = 0  # how many waits still sleep at once

    def poll(self, timeout_s: float, at_most: int) -> list[tuple[int, int]]:
        """Wait up to `timeout_s` seconds, and return at most `at_most` ready descriptors."""
        poll = self._poll
        if self._left:
            self._left -= 1
            return poll(timeout_s, at_most)
        if (ready := poll(0, at_most)) or not timeout_s:
            return ready
        clock = self._clock
        until = clock() + self._moment_s
        while clock() < until:
            if ready := poll(0, at_most):
                self._waits = max(self._waits // 2, 1)
                return ready
        self._left = self._waits
        self._waits = min(2 * self._waits, MAX_WAITS)
        return poll(timeout_s, at_most)
