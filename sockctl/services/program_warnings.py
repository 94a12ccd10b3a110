"""Emits the lines that a program writes to its standard error, one by one up to a rate, and beyond it as sums."""

import time
from collections import Counter

from sockctl.events.journal import Journal
from sockctl.events.rate_limit import EventRateLimit
from sockctl.events.services import ProgramWarned, ProgramWarningsSummed
from sockctl.net.peer import Peer
from sockctl.net.raw_peer import RawPeer
from sockctl.services.program import OutputLines
from sockctl.token_bucket import TokenBucket

PER_SECOND = 10
AT_ONCE = 50
"""Lines that pass at once, after a rest: a traceback has so many."""
SHOWN_CHARACTERS = 500


class ProgramWarnings:
    """Emits the lines of one program's standard error. Not thread-safe.

    Args:
        journal: Takes the events.
        peer: The client for which the program runs.
        pid: The program's process.
    """

    def __init__(self, journal: Journal, peer: Peer | RawPeer, pid: int) -> None:
        self._journal = journal
        self._peer = peer
        self._pid = pid
        self._lines = OutputLines()
        self._limit: EventRateLimit[Counter[str]] = EventRateLimit(
            TokenBucket(rate=PER_SECOND, burst=AT_ONCE), Counter, self._emit_sum
        )

    def feed(self, data: bytes) -> None:
        """Emit the lines that `data` completes; no data means the end, and emits the rest."""
        now = time.monotonic()
        self._limit.emit_sum(now)
        if self._limit.due_at is not None and (more := self._limit.find_sum(now)) is not None:
            more["lines"] += self._count_lines(data)
        else:
            self._emit_each(self._lines.feed(data), now)
        if not data:
            self._limit.emit_sum(now, ending=True)

    def close(self) -> None:
        """Emit the rest, where the end of standard error has not come: another process may hold it."""
        self.feed(b"")

    def _emit_each(self, lines: list[str], now: float) -> None:
        for index, line in enumerate(lines):
            if (more := self._limit.find_sum(now)) is not None:
                more["lines"] += len(lines) - index
                return
            said = line[:SHOWN_CHARACTERS]
            self._journal.emit(
                ProgramWarned(connection=self._peer.number, peer=self._peer.shown, pid=self._pid, said=said)
            )

    def _count_lines(self, data: bytes) -> int:
        """Return how many lines end, without decoding them: a program that writes without end costs little."""
        whole, end, rest = data.rpartition(b"\n")
        count = 0
        if end:
            self._lines = OutputLines()
            count = whole.count(b"\n") + 1
        return count + len(self._lines.feed(rest))

    def _emit_sum(self, more: Counter[str], seconds: float) -> None:
        self._journal.emit(
            ProgramWarningsSummed(
                connection=self._peer.number,
                peer=self._peer.shown,
                pid=self._pid,
                lines=more["lines"],
                seconds=seconds,
            )
        )
