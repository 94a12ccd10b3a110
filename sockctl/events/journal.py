"""The journal: takes events from any thread without making it wait, and writes them in order from a thread of its own.

A slow disk or a stopped terminal must never hurt a connection. So `emit` only puts the event into a queue bounded in
bytes. A writer thread takes the events from there, and gives them to the sink as one batch. The journal counts events
that don't fit, and emits the count as soon as there is room. Events that come too often from one address become sums
(`EventSums`). When a sink fails, the fallback sink says so once. When the sink works again, it gets a line that says
how much is missing.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from sockctl.byte_queue import ByteQueue
from sockctl.errors import SinkError
from sockctl.events.base import Event, Level, Record
from sockctl.events.sums import PER_SECOND, EventsSummed, EventSums
from sockctl.text import format_count

CAPACITY_BYTES = 32 << 20
"""Bytes of events that may wait to be written: 65,536 events, a second of the busiest server."""
BATCH = 1_024
"""Events that the sink gets at once."""
BATCH_BYTES = 1 << 20
"""Bytes of the events that the sink gets at once: a sink makes several copies of them."""


class Sink(Protocol):
    """Where records go. Only the journal's writer thread calls it, so it needs no lock."""

    def write(self, records: Sequence[Record]) -> None:
        """Write all `records`, in order; may block.

        Raises:
            SinkError: They could not be written, or not all of them.
        """

    def close(self) -> None:
        """Free what the sink holds; never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost(Event):
    """Events are missing at this place of the journal."""

    level: ClassVar[Level] = Level.WARNING

    count: int
    why: str

    @property
    def happened(self) -> str:
        return f"{format_count(self.count, 'event')} missing here: {self.why}."

    @property
    def explanation(self) -> str:
        return "The connections were not affected."


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFailed(Event):
    """The journal can't write to its sink. The fallback sink gets this event."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def happened(self) -> str:
        return f"Events can't be written: {self.error}."

    @property
    def explanation(self) -> str:
        return "The server goes on, counts them, and writes again when it can."


class Journal:
    """Takes events from any thread and writes them to one sink.

    Args:
        sink: Where events go.
        service: The service's name, part of every record.
        level: Events below this level are left out.
        fallback: The sink that tells of the first one's failure, or None.
        capacity_bytes: How many bytes of events may wait.
        per_second: Events of one kind and one address that are written one by one in a second; more become a sum.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        service: str,
        level: Level = Level.INFO,
        fallback: Sink | None = None,
        capacity_bytes: int = CAPACITY_BYTES,
        per_second: int = PER_SECOND,
    ) -> None:
        self._sink = sink
        self._service = service
        self._level = level
        self._fallback = fallback
        self._queue: ByteQueue[Record | threading.Event] = ByteQueue(capacity_bytes=capacity_bytes)
        self._sums = EventSums(service, per_second=per_second)
        self._failure = ""
        self._unwritten = 0
        self._lost = 0  # events whose loss was written
        self._writer = threading.Thread(target=self._write_all, name="sockctl-journal", daemon=True)
        self._writer.start()

    def emits(self, level: Level) -> bool:
        """Return whether events of this level are written."""
        return level >= self._level

    @property
    def lost(self) -> int:
        """How many events are missing in what was written, since the start; any thread may ask."""
        return self._lost + self._unwritten

    @property
    def waiting_bytes(self) -> int:
        """The bytes of the events that wait to be written; any thread may ask."""
        return self._queue.waiting_bytes

    def emit(self, event: Event) -> None:
        """Take an event. Never blocks and never raises; any thread may call it."""
        if event.own_level < self._level:
            return
        self._queue.put(Record(time.time(), self._service, event), event.held_bytes)

    def wait_until_written(self, timeout_s: float) -> None:
        """Wait until the sink has what was emitted so far, for at most `timeout_s` seconds."""
        reached = threading.Event()
        self._queue.put(reached, 0)
        reached.wait(timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what waits, for at most `timeout_s` seconds, and end the writer thread."""
        self._queue.close()
        self._writer.join(timeout_s)

    def _write_all(self) -> None:
        ended = False
        while not ended:
            wait_s = self._sums.compute_wait_s(time.time())
            batch, ended = self._queue.fetch(count=BATCH, size_bytes=BATCH_BYTES, timeout_s=wait_s)
            records = self._sums.reduce([one for one in batch if isinstance(one, Record)], time.time())
            if ended:
                records += self._sums.close()
            if lost := self._queue.pop_dropped():
                records.append(self._record(EventsLost(count=lost, why="they came faster than they could be written")))
            if records or ended:
                self._write(records)
            for one in batch:
                if isinstance(one, threading.Event):  # of `wait_until_written`
                    one.set()
        self._sink.close()

    def _write(self, records: list[Record]) -> None:
        if self._unwritten:
            records = [self._record(EventsLost(count=self._unwritten, why=self._failure)), *records]
        try:
            self._sink.write(records)
        except Exception as error:  # noqa: BLE001  whatever it is, the events to come must still be written
            written = error.written if isinstance(error, SinkError) else 0
            self._unwritten = sum(_count_events(record) for record in records[written:])
            if not self._failure:
                self._tell_failure(error)
            self._failure = str(error)
        else:
            written = len(records)
            self._unwritten = 0
            self._failure = ""
        self._lost += sum(record.event.count for record in records[:written] if isinstance(record.event, EventsLost))

    def _tell_failure(self, error: Exception) -> None:
        if self._fallback is None:
            return
        try:
            self._fallback.write([self._record(SinkFailed(error=str(error)))])
        except SinkError:
            return  # nowhere is left to tell it; the count goes on

    def _record(self, event: Event) -> Record:
        return Record(time.time(), self._service, event)


def _count_events(record: Record) -> int:
    """Return for how many events a record stands."""
    return record.event.count if isinstance(record.event, EventsLost | EventsSummed) else 1
