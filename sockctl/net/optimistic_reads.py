"""Optimistic reads: when to ask the kernel which connections are ready, and when to try all of them in turn.

To ask is not free: epoll looks at each socket before it reports it, which is a tenth of what an echoed message costs.
Where nearly all connections are ready each time, the answer is known beforehand. So the event thread tries each in its
turn, until it has tried too many in vain; then it asks the kernel again. Linux itself deals so with a busy network card
(NAPI): while there is always something to fetch, it doesn't wait for an interrupt.

An attempt that doesn't last costs what was tried in vain. So after each of those nearly all must have been ready for
twice as long before the next.
"""

from collections.abc import Mapping

from sockctl.net.connection import Connection

AT_ONCE = 256
"""Connections seen to at once: what the kernel looked at to report one is still in the cache when it is read."""
FEW = 16
"""Fewer than that are never tried in turn: to them, a single read in vain is too much."""
NEARLY_ALL = 0.9
"""The part of them that must be ready; below that, reading in vain soon costs what asking would."""
LASTING = 8
"""Times that all must have been tried for the attempt to have been worth it."""
MAX_PATIENCE = 64
"""Times that all must have been ready, at most, before the next attempt."""


class OptimisticReads:
    """Whether the connections of an event thread, which alone calls it, are tried in turn.

    Args:
        connections: All of them, by descriptor.

    Attributes:
        trying: Whether they are.
    """

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        self._connections = connections
        self.trying = False
        self._turns: list[Connection] = []
        self._place = 0  # whose turn it is
        self._size = 0  # of a turn
        self._passes = 0  # how often all had a turn
        self._ready = 0  # how many were ready since fewer than nearly all were
        self._patience = 1

    def turn(self) -> list[Connection]:
        """Return the connections whose turn it is; while trying only."""
        some = self._turns[self._place : self._place + self._size]
        self._place += self._size
        return some

    def note(self, count: int, in_vain: int) -> None:
        """Take note of how it went; needless where fewer than `FEW` were reported.

        Args:
            count: How many were reported, or had their turn.
            in_vain: How many of them had nothing to read.
        """
        if not self.trying:
            self._note_reported(count)
        elif count - in_vain < max(NEARLY_ALL * count, 1):
            self.trying = False
            self._turns = []
            self._patience = 1 if self._passes >= LASTING else min(2 * self._patience, MAX_PATIENCE)
        elif self._place >= len(self._turns):
            self._passes += 1
            self._begin_pass()

    def _note_reported(self, count: int) -> None:
        everybody = len(self._connections)
        self._ready = self._ready + count if count >= min(AT_ONCE, NEARLY_ALL * everybody) else 0
        if self._ready >= self._patience * everybody:
            self.trying = True
            self._ready = self._passes = 0
            self._begin_pass()

    def _begin_pass(self) -> None:
        self._turns = [one for one in self._connections.values() if one.interest]  # for writing, too: nothing else asks
        self._place = 0
        count = len(self._turns)
        self._size = -(-count // -(-count // AT_ONCE)) if count else 0  # all of one size: a small one proves nothing
