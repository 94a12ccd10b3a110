"""Emits the traffic of one relayed connection: each read while traffic is calm, sums once a second while it is busy.

The relay sends bytes before it emits their event, so no byte is delayed. With ``--hex`` the events hold all bytes. They
are written as fast as the log takes them: the loop reads nothing while too many wait.
"""

import functools
from collections.abc import Sequence
from typing import Protocol, TypedDict

from sockctl.events.base import Level
from sockctl.events.journal import Journal
from sockctl.events.proxy import BytesHeld, ConnectionDropped, DataPassed, SideEnded, TargetBroken
from sockctl.events.rate_limit import EventRateLimit
from sockctl.hex_dump import encode_hex
from sockctl.net.connection import Connection
from sockctl.proxy.dump_files import DumpFiles
from sockctl.proxy.flow import Flow
from sockctl.proxy.inspector import Inspector
from sockctl.proxy.rendering import render_text
from sockctl.proxy.seen import Seen, Text
from sockctl.text import make_visible
from sockctl.token_bucket import TokenBucket

CALM_PER_SECOND = 20.0
"""Reads of a connection that are emitted one by one in a second …"""
CALM_AT_ONCE = 40.0
"""… and after a rest."""
TEXT_BYTES = 1_024
"""Bytes of text that are shown of one read."""
SENTENCES = 10
"""Sentences that one event has; JSON has all that was recognised in a read."""
SUM_BYTES = 100_000
"""Memory that the findings of a sum take, at most."""
_MARKS = {True: ">", False: "<"}
"""The marks of both directions, by whether they go towards the target."""


class _Origin(TypedDict):
    """The fields of every event of a connection."""

    connection: int
    peer: str


class _Sum:
    """The bytes of one direction that are in no event yet."""

    __slots__ = ("bytes", "left_out", "reads", "seen", "seen_bytes")

    def __init__(self) -> None:
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
    """Calls `RelayTraffic.emit_sum` in time."""

    def add_sum(self, traffic: "RelayTraffic", flow: Flow, due_at: float) -> None:
        """Have the sum of a direction emitted at a time."""


class RelayTraffic:
    """Emits the traffic of one connection. One thread at a time uses it.

    Args:
        connection: The client's connection.
        journal: Takes the events.
        timer: Calls `emit_sum` when a sum is due.
        inspector: Recognises the protocols; None for sums alone.
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
        self._limits: dict[Flow, EventRateLimit[_Sum]] = {}  # of one rate, and each with its sum
        self._last_at = now

    def emit_read(self, flow: Flow, data: memoryview, now: float) -> None:
        """Emit bytes that have been read, or add them to the sum; write them to the files of --dump."""
        if self._dumps is not None:
            self._dumps.write(flow.direction, data)
        if self._is_silent:
            return
        seen: Sequence[Seen] = ()
        if self._inspector is not None and not self._inspector.is_idle(flow.towards_target):
            seen = self._inspector.inspect(flow.towards_target, data)
        if self._hex_dump:
            self._emit(flow, data, now, seen)
        elif (total := self._find_sum(flow, now)) is not None:
            total.add(len(data), seen)
        else:
            self._emit(flow, data, now, seen)
        self._last_at = now

    def emit_sum(self, flow: Flow, now: float) -> None:
        """Emit the sum of a direction, if there still is one."""
        if flow in self._limits:
            self._limits[flow].emit_sum(now, ending=True)

    def emit_hold(self, flow: Flow) -> None:
        """Emit that bytes are held back on purpose."""
        self._journal.emit(BytesHeld(**self._origin, direction=flow.direction))

    def emit_end(self, flow: Flow, now: float) -> None:
        """Emit that a side's end has been passed on, and the things that it has cut off."""
        self.emit_sum(flow, now)
        if self._is_silent:
            return
        seen = () if self._inspector is None else self._inspector.end(flow.towards_target)
        sentences, below = self._describe(flow, seen)
        self._journal.emit(
            SideEnded(
                **self._origin,
                direction=flow.direction,
                cut=flow.source.was_cut or None,
                seen=[item.fields for item in seen] or None,
                seen_bytes=sum(item.held_bytes for item in seen),
                sentences=sentences,
                below=_join(below),
            )
        )

    def emit_break(self, error: OSError) -> None:
        """Emit that the target has reset its connection."""
        self._journal.emit(TargetBroken(**self._origin, error=error.strerror or str(error)))

    def emit_drop(self, count: int) -> None:
        """Emit that the proxy resets the connection on purpose."""
        self._journal.emit(ConnectionDropped(**self._origin, bytes=count))

    def end(self, now: float) -> None:
        """Emit the last sums, and close the files: the connection is over."""
        try:
            for flow in self._limits:
                self.emit_sum(flow, now)
        finally:
            if self._dumps is not None:
                self._dumps.close()

    def _find_sum(self, flow: Flow, now: float) -> _Sum | None:
        """Return the sum that a read of a direction joins; None where the read has an event of its own."""
        limit = self._limits.get(flow)
        if limit is None:
            emit_sum = functools.partial(self._emit_sum, flow)
            limit = self._limits[flow] = EventRateLimit(self._calm, _Sum, emit_sum)
        total = limit.find_sum(now)
        if total is not None and not total.reads and limit.due_at is not None:
            self._timer.add_sum(self, flow, limit.due_at)
        return total

    def _emit_sum(self, flow: Flow, total: _Sum, seconds: float) -> None:
        sentences, below = self._describe(flow, total.seen, left_out=total.left_out)
        self._journal.emit(
            DataPassed(
                **self._origin,
                direction=flow.direction,
                bytes=total.bytes,
                reads=total.reads,
                seconds=seconds,
                seen=[item.fields for item in total.seen] or None,
                seen_bytes=total.seen_bytes,
                sentences=sentences,
                below=_join(below),
            )
        )

    def _emit(self, flow: Flow, data: memoryview, now: float, seen: Sequence[Seen]) -> None:
        """Emit one read, with its findings."""
        sentences, below = self._describe(flow, seen)
        offset = flow.bytes - len(data) if self._hex_dump else None
        if offset is not None and not self._is_json:
            # Here, not where events are written: that thread writes the dump before this one meanwhile.
            below.append(encode_hex(data, offset, mark=_MARKS[flow.towards_target]))
        self._journal.emit(
            DataPassed(
                **self._origin,
                direction=flow.direction,
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
        self, flow: Flow, seen: Sequence[Seen], *, left_out: int = 0
    ) -> tuple[list[str], list[bytes | bytearray]]:
        """Return findings as sentences, and as lines below them."""
        sentences: list[str] = []
        below: list[bytes | bytearray] = []
        for item in seen:
            mark = "" if item.towards_target == flow.towards_target else f"({_MARKS[item.towards_target]}) "
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
