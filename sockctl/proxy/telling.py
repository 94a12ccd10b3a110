"""Tells what passes on one connection: each read while traffic is calm, sums once a second while it is not.

The bytes have gone before anything is told of them, so telling delays no byte. With ``--hex`` all bytes are told, as
fast as the events can be written: the loop reads nothing while too many wait.
"""

from collections.abc import Sequence
from typing import Protocol, TypedDict

from sockctl.events.base import Level
from sockctl.events.journal import Journal
from sockctl.events.proxy import BytesHeld, ConnectionDropped, DataPassed, TargetBroken, make_side_ended
from sockctl.hex_dump import encode_hex
from sockctl.net.connection import Connection
from sockctl.proxy.dump_files import DumpFiles
from sockctl.proxy.inspector import Inspector
from sockctl.proxy.rendering import render_text
from sockctl.proxy.seen import Seen, Text
from sockctl.proxy.way import Way
from sockctl.text import make_visible
from sockctl.token_bucket import TokenBucket

CALM_PER_SECOND = 20.0
"""Reads of a connection that are told one by one in a second …"""
CALM_AT_ONCE = 40.0
"""… and after a rest."""
SUM_S = 1.0
TEXT_BYTES = 1_024
"""Bytes of text that are shown of one read."""
SENTENCES = 10
"""Things of one event that are told in words; JSON has all of a read."""
SUM_BYTES = 100_000
"""Memory that the things of a sum take at most, until it is told."""
_MARKS = {True: ">", False: "<"}
"""The marks of both directions, by whether they go towards the target."""


class _Origin(TypedDict):
    """The fields of every event of a connection."""

    connection: int
    peer: str


class _Sum:
    """What has passed one way and isn't told yet."""

    __slots__ = ("bytes", "left_out", "reads", "seen", "seen_bytes", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.bytes = self.reads = self.seen_bytes = self.left_out = 0
        self.seen: list[Seen] = []

    def add(self, count: int, seen: Sequence[Seen]) -> None:
        """Add a read."""
        self.bytes += count
        self.reads += 1
        for item in seen:
            if not item.is_notable:
                continue
            if len(self.seen) < SENTENCES and self.seen_bytes + item.held_bytes <= SUM_BYTES:
                self.seen.append(item)
                self.seen_bytes += item.held_bytes
            else:
                self.left_out += 1


class SumTimer(Protocol):
    """Reminds of sums."""

    def add_sum(self, telling: "Telling", way: Way, due_at: float) -> None:
        """Have `telling` tell the sum of a direction at a time."""


class Telling:
    """Tells what passes on one connection. One thread at a time uses it.

    Args:
        connection: The client's connection.
        journal: Takes the events.
        timer: Reminds of sums.
        inspector: Recognises what passes; None for sums alone.
        hex_dump: Whether all bytes are shown in hex.
        is_json: Whether events are written as JSON.
        dumps: Keeps all bytes in files; None for none.
        now: The time.
    """

    def __init__(
        self,
        connection: Connection,
        journal: Journal,
        timer: SumTimer,
        *,
        inspector: Inspector | None,
        hex_dump: bool,
        is_json: bool,
        dumps: DumpFiles | None,
        now: float,
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._timer = timer
        self._inspector = inspector
        self._hex_dump = hex_dump
        self._is_json = is_json
        self._dumps = dumps
        self._is_silent = not journal.emits(Level.INFO)
        self._shows_details = journal.emits(Level.DETAIL)
        self._calm = TokenBucket(rate=CALM_PER_SECOND, burst=CALM_AT_ONCE)
        self._sums: dict[Way, _Sum] = {}
        self._last_at = now

    def tell(self, way: Way, data: memoryview, now: float) -> None:
        """Tell of bytes that have been read."""
        if self._dumps is not None:
            self._dumps.write(way.direction, data)
        if self._is_silent:
            return
        seen: Sequence[Seen] = ()
        if self._inspector is not None and not self._inspector.is_idle(way.towards_target):
            seen = self._inspector.inspect(way.towards_target, data)
        if self._hex_dump:
            self._emit(way, data, now, seen)
        elif (total := self._sums.get(way)) is not None:
            total.add(len(data), seen)
        elif self._calm.accept(now):
            self._emit(way, data, now, seen)
        else:
            total = self._sums[way] = _Sum(now)
            total.add(len(data), seen)
            self._timer.add_sum(self, way, now + SUM_S)
        self._last_at = now

    def tell_sum(self, way: Way, now: float) -> None:
        """Tell the sum of a direction, if there still is one."""
        total = self._sums.pop(way, None)
        if total is not None:
            sentences, below = self._describe(way, total.seen, left_out=total.left_out)
            self._journal.emit(
                DataPassed(
                    **self._origin,
                    direction=way.direction,
                    bytes=total.bytes,
                    reads=total.reads,
                    seconds=round(now - total.since, 3),
                    seen=[item.fields for item in total.seen] or None,
                    seen_bytes=total.seen_bytes,
                    sentences=sentences,
                    below=_join(below),
                )
            )

    def tell_held(self, way: Way) -> None:
        """Tell that bytes are held back on purpose."""
        self._journal.emit(BytesHeld(**self._origin, direction=way.direction))

    def tell_end(self, way: Way, now: float) -> None:
        """Tell that a side's end has been passed on, and what was cut off by it."""
        self.tell_sum(way, now)
        if self._is_silent:
            return
        seen = () if self._inspector is None else self._inspector.end(way.towards_target)
        sentences, below = self._describe(way, seen)
        self._journal.emit(
            make_side_ended(
                **self._origin,
                direction=way.direction,
                cut=way.source.was_cut or None,
                seen=[item.fields for item in seen] or None,
                seen_bytes=sum(item.held_bytes for item in seen),
                sentences=sentences,
                below=_join(below),
            )
        )

    def tell_break(self, error: OSError) -> None:
        """Tell that the target has broken its connection off."""
        self._journal.emit(TargetBroken(**self._origin, error=error.strerror or str(error)))

    def tell_drop(self, count: int) -> None:
        """Tell that the connection is broken off on purpose."""
        self._journal.emit(ConnectionDropped(**self._origin, bytes=count))

    def end(self, now: float) -> None:
        """Tell the last sums, and close the files: the connection is over."""
        try:
            for way in list(self._sums):
                self.tell_sum(way, now)
        finally:
            if self._dumps is not None:
                self._dumps.close()

    def _emit(self, way: Way, data: memoryview, now: float, seen: Sequence[Seen]) -> None:
        """Tell of one read, and what was recognised in it."""
        sentences, below = self._describe(way, seen)
        offset = way.bytes - len(data) if self._hex_dump else None
        if offset is not None and not self._is_json:
            # Here, not where events are written: that thread writes the dump before this one meanwhile.
            below.append(encode_hex(data, offset, mark=_MARKS[way.towards_target]))
        self._journal.emit(
            DataPassed(
                **self._origin,
                direction=way.direction,
                bytes=len(data),
                gap_s=round(now - self._last_at, 6),
                seen=[item.fields for item in seen] or None,
                seen_bytes=sum(item.held_bytes for item in seen),
                hex=bytes(data) if self._hex_dump and self._is_json else None,
                offset=offset,
                sentences=sentences,
                below=_join(below),
            )
        )

    def _describe(
        self, way: Way, seen: Sequence[Seen], *, left_out: int = 0
    ) -> tuple[list[str], list[bytes | bytearray]]:
        """Return what was recognised as sentences, and as lines below them."""
        sentences: list[str] = []
        below: list[bytes | bytearray] = []
        for item in seen:
            mark = "" if item.towards_target == way.towards_target else f"({_MARKS[item.towards_target]}) "
            if isinstance(item, Text) and not item.hidden:
                if not self._hex_dump:
                    below.append(f"{render_text(item.data, limit=TEXT_BYTES)}\n".encode())
            elif len(sentences) == SENTENCES:
                left_out += 1
            else:
                sentences.append(f"{mark}{item.text}")
                if self._shows_details:
                    below += [f"  {make_visible(line)}\n".encode() for line in item.details]
        if left_out:
            sentences.append(f"… and {left_out:,} more.")
        return sentences, below

    @property
    def _origin(self) -> _Origin:
        return {"connection": self._connection.number, "peer": self._connection.peer}


def _join(pieces: list[bytes | bytearray]) -> bytes | bytearray:
    """Return the pieces as one, without a copy of a single one: a dump is long."""
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
