"""Busy polling: an event thread looks for a moment before it sleeps, as long as that pays.

A client may wait for each reply before it sends again. If the event thread sleeps in between, the kernel must wake the
thread, and often a sleeping core, for every message, which takes longer than the reply. So the thread goes on looking
for a moment, and the next message finds it awake. Linux does the same with network cards (busy polling, whose
documentation recommends these 50 µs) and in an idle guest (haltpoll).

Looking in vain costs a core that moment. So looking must pay more often than not. Each time that it didn't, the thread
sleeps at once for twice as many waits as the time before; each time that it did, that number is halved. No client keeps
a server awake by saying something now and then.
"""

import time
from collections.abc import Callable

Poll = Callable[[float, int], list[tuple[int, int]]]
MOMENT_S = 50e-6
"""How long it looks before it sleeps."""
MAX_WAITS = 1024
"""Waits that it sleeps at once for, at most, before it looks again."""


class BusyPolling:
    """Waits in a poller's place; each event thread has its own.

    Args:
        poll: The poller's: takes seconds, and how many to report at most, and returns what is ready.
        moment_s: For how long it looks before it sleeps.
        clock: Returns the time in seconds.
    """

    def __init__(self, poll: Poll, *, moment_s: float = MOMENT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._poll = poll
        self._clock = clock
        self._moment_s = moment_s
        self._waits = 1  # that it sleeps at once for when it looks in vain again
        self._left = 0  # of those

    def poll(self, timeout_s: float, at_most: int) -> list[tuple[int, int]]:
        """Wait up to `timeout_s` seconds for something to be ready, and return it; `at_most` so many."""
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
