"""What a program writes to its standard error: an event for each line, and a sum where the lines are too many."""

import time

from sockctl.events.journal import Journal
from sockctl.events.services import ProgramWarned, ProgramWarningsSummed
from sockctl.net.peer import Peer
from sockctl.net.raw_peer import RawPeer
from sockctl.services.program import OutputLines
from sockctl.token_bucket import TokenBucket

PER_SECOND = 10
AT_ONCE = 50
"""Lines that pass at once, after a rest: a traceback has so many."""
SUM_S = 1.0
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
        self._bucket = TokenBucket(rate=PER_SECOND, burst=AT_ONCE)
        self._more = 0
        self._since = 0.0  # when the first of the lines came that are not emitted

    def feed(self, data: bytes) -> None:
        """Emit the lines that `data` completes; no data means the end, and emits the rest."""
        now = time.monotonic()
        if self._more and not self._bucket.has_any(now):
            self._skip(data)
        else:
            self._emit_each(self._lines.feed(data), now)
        if self._more and (not data or now - self._since >= SUM_S):
            self._emit_sum(now)

    def close(self) -> None:
        """Emit the rest, where the end of standard error has not come: another process may hold it."""
        self.feed(b"")

    def _emit_each(self, lines: list[str], now: float) -> None:
        for index, line in enumerate(lines):
            if not self._bucket.accept(now):
                self._since = now if not self._more else self._since
                self._more += len(lines) - index
                return
            said = line[:SHOWN_CHARACTERS]
            self._journal.emit(
                ProgramWarned(connection=self._peer.number, peer=self._peer.shown, pid=self._pid, said=said)
            )

    def _skip(self, data: bytes) -> None:
        """Count lines without decoding them, so that a program that writes without end costs little."""
        whole, end, rest = data.rpartition(b"\n")
        if end:
            self._lines = OutputLines()
            self._more += whole.count(b"\n") + 1
        self._more += len(self._lines.feed(rest))

    def _emit_sum(self, now: float) -> None:
        seconds = round(now - self._since, 3)
        self._journal.emit(
            ProgramWarningsSummed(
                connection=self._peer.number, peer=self._peer.shown, pid=self._pid, lines=self._more, seconds=seconds
            )
        )
        self._more = 0
