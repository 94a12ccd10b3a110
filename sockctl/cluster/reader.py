"""Reads the log, and says what is new, once and in order; one thread uses it.

The reader goes on from the last id that it has read. An entry that a node posted again after a crash of the engine had
lost it is told once. A gap between ids is told as `Missed`, and what an epoch says is lost as `Lost`.
"""

from collections.abc import Callable, Iterable

from sockctl.cluster.engine import Engine
from sockctl.cluster.entry import EPOCH, GONE, Entry, Lost, Missed, News, read_entry
from sockctl.cluster.keys import LOG

AT_ONCE = 500
"""Entries of one request."""


class Reader:
    """The place of a node in the log.

    Args:
        last_id: The id after which to begin.

    Attributes:
        last_id: The id of the last entry that was read. Any thread may read it.
    """

    def __init__(self, last_id: int) -> None:
        self.last_id = last_id
        self._sequences: dict[str, int] = {}  # the last one of each node

    def read(self, engine: Engine, *, wait_ms: int, meanwhile: Callable[[], None] | None = None) -> list[News]:
        """Wait for entries, so long at most, and return what is new. The engine's timeout must be longer.

        Args:
            engine: The engine.
            wait_ms: How long the engine waits.
            meanwhile: Called while the engine waits, for as long as that takes.

        Raises:
            EngineError: The engine is away; the next call reads on.
        """
        wait = ("BLOCK", wait_ms) if wait_ms else ()
        engine.send("XREAD", "COUNT", AT_ONCE, *wait, "STREAMS", LOG, f"0-{self.last_id}")
        if meanwhile is not None:
            meanwhile()
        reply = engine.receive()
        return self.take(map(read_entry, reply[0][1])) if reply else []

    def take(self, entries: Iterable[Entry]) -> list[News]:
        """Take entries of the log, in order, and return what is new."""
        news: list[News] = []
        for one in entries:
            if one.kind == EPOCH:
                if one.previous < self.last_id:
                    news.append(Lost(one.previous, self.last_id))
                elif one.previous > self.last_id:
                    news.append(Missed(self.last_id, one.id))
            elif one.id != self.last_id + one.lines:
                news.append(Missed(self.last_id, one.id - one.lines + 1))
            self.last_id = one.id
            if one.kind == GONE:
                self._sequences.pop(one.node, None)  # the node posts no more under this name
            elif one.sequence:
                if one.sequence <= self.find_sequence(one.node):
                    continue
                self._sequences[one.node] = one.sequence
            news.append(one)
        return news

    def find_sequence(self, node: str) -> int:
        """Return the last sequence of a node that was read. Any thread may call it."""
        return self._sequences.get(node, 0)
