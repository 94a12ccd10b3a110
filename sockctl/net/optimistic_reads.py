"""Optimistic reads: when to ask the kernel which connections are ready, and when to try all of them in turn.

Asking costs: epoll checks each socket before it reports it, which is a tenth of the cost of an echoed message. If
nearly all connections are ready each time, the answer is known beforehand. So the event thread tries each in its turn,
until too many have no input; then it asks the kernel again. Linux treats a busy network card in the same way (NAPI).

A short attempt costs the reads in vain. So after each one, nearly all connections must be ready for twice as long
before the next attempt.
"""

from collections.abc import Mapping

from sockctl.net.connection import Connection

AT_ONCE = 256
"""Connections in one round: so few that the kernel's data of each is still in the cache when the thread reads it."""
FEW = 16
"""Fewer connections are never tried in turn: for them, a single read in vain costs too much."""
NEARLY_ALL = 0.9
"""The part of the connections that must be ready; below it, reads in vain soon cost as much as asking."""
LASTING = 8
"""Passes over all connections that make an attempt worth its cost."""
MAX_PATIENCE = 64
"""The most times that all must be ready before the next attempt."""


class OptimisticReads:
    """Decides whether an event thread tries its connections in turn. Only this thread calls it.

    Args:
        connections: The connections, by descriptor.

    Attributes:
        trying: Whether the event thread tries them in turn now.
    """

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        self._connections = connections
        self.trying = False
        self._turns: list[Connection] = []
        self._place = 0  # where the next turn begins
        self._size = 0  # of a turn
        self._passes = 0  # how often all have had a turn
        self._ready = 0  # how many were ready since nearly all are ready each time
        self._patience = 1

    def turn(self) -> list[Connection]:
        """Return the connections of the next turn; only while `trying`."""
        some = self._turns[self._place : self._place + self._size]
        self._place += self._size
        return some

    def note(self, count: int, in_vain: int) -> None:
        """Note the result of a round; not needed if the poller has reported fewer than `FEW`.

        Args:
            count: How many connections the poller reported, or had their turn.
            in_vain: How many of them had no input.
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
        self._turns = [one for one in self._connections.values() if one.interest]  # for writing, too: no poller reports
        self._place = 0
        count = len(self._turns)
        self._size = -(-count // -(-count // AT_ONCE)) if count else 0  # equal sizes: a small turn proves nothing
