"""The server's events at a console: shown as they come, or only kept for the operator to look at."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from sockctl.events.base import ConnectionEvent, Event, Level, Record
from sockctl.events.formats import Format
from sockctl.events.journal import Sink

MAX_KEPT = 1_000
MAX_KEPT_BYTES = 1 << 20
"""The last events that are kept may take so many bytes."""


class EventRing:
    """The last events, and whether new ones are shown. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards everything below
        self._kept: deque[Record] = deque()
        self._bytes = 0
        self._is_on = False
        self._was_chosen = False
        self._stops = False

    @property
    def is_on(self) -> bool:
        """Whether all events are shown."""
        with self._lock:
            return self._is_on

    def begin(self, *, on: bool) -> None:
        """Show events in the beginning, or don't."""
        with self._lock:
            self._is_on = on

    def turn(self, *, on: bool) -> None:
        """Show events from now on, or don't: the operator has chosen."""
        with self._lock:
            self._is_on, self._was_chosen = on, True

    def hush(self) -> bool:
        """Show events no longer, unless the operator has chosen; return whether that changes something."""
        with self._lock:
            changes = self._is_on and not self._was_chosen
            self._is_on, self._was_chosen = self._is_on and not changes, True
            return changes

    def note_stop(self) -> None:
        """Note that the server stops: the operator is told how, if not of each connection."""
        with self._lock:
            self._stops = True

    def add(self, record: Record) -> bool:
        """Keep an event; return whether it is shown. An error always is."""
        event = record.event
        with self._lock:
            self._kept.append(record)
            self._bytes += event.held_bytes
            while len(self._kept) > MAX_KEPT or (self._bytes > MAX_KEPT_BYTES and len(self._kept) > 1):
                self._bytes -= self._kept.popleft().event.held_bytes
        return self.shows(event)

    def shows(self, event: Event) -> bool:
        """Return whether an event is shown now."""
        of_server = not isinstance(event, ConnectionEvent)
        with self._lock:
            return self._is_on or event.own_level >= Level.ERROR or (self._stops and of_server)

    def list_last(self, count: int) -> list[Record]:
        """Return the last events, the oldest first."""
        with self._lock:
            return [*self._kept][-count:]


class EventSink:
    """Keeps the events of a server, and shows them at the console while it is open.

    Args:
        ring: Keeps them.
        sink: Where they go as well: a file; or the terminal itself, before and after the console is open.
        is_screen: Whether `sink` is the terminal itself.
        show: Shows events at the console, without waiting; returns False where it isn't open.
    """

    def __init__(
        self, ring: EventRing, sink: Sink, *, is_screen: bool, show: Callable[[Sequence[Record]], bool]
    ) -> None:
        self._ring = ring
        self._sink = sink
        self._is_screen = is_screen
        self._show = show

    def write(self, records: Sequence[Record]) -> None:
        """Keep, show and write records. Raises what the sink does."""
        shown = [record for record in records if self._ring.add(record)]
        showed = not shown or self._show(shown)
        if not self._is_screen:
            self._sink.write(records)
        elif not showed:
            self._sink.write(shown)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()


def format_rows(records: Sequence[Record], form: Format) -> list[str]:
    """Return events as rows of a terminal."""
    return [row for record in records if (text := form(record)) for row in text.split("\n")]
