"""Sums in place of events that come too often: no client can fill a disk with events."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level, Record
from sockctl.source_network import find_source_network
from sockctl.text import format_count, format_seconds

PER_SECOND = 100
"""Events of one kind and one address that are written one by one in a second."""
WINDOW_S = 1.0
AMOUNTS = ("bytes", "portions", "reads", "sends", "bytes_in", "bytes_out", "datagrams", "datagrams_in", "datagrams_out")
"""Fields of events that a sum adds up, so that no byte is missing in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsSummed(Event):
    """More events of one kind came from one address than are written one by one.

    Attributes:
        of: The name of the events.
        address: The IP address of the clients, or their IPv6 network.
        count: How many events came beyond those that were written one by one.
        seconds: The time in which they came.
        amounts: The sums of their fields by name: bytes, portions and calls.
    """

    level: ClassVar[Level] = Level.WARNING

    of: str
    address: str
    count: int
    seconds: float
    amounts: dict[str, int] | None = None

    @property
    def happened(self) -> str:
        together = ", ".join(f"{name} {total:,}" for name, total in (self.amounts or {}).items())
        count = format_count(self.count, "more event")
        return (
            f"{count} {self.of} from {self.address} in {format_seconds(self.seconds)}."
            f"{together and f' Together: {together}.'}"
        )

    @property
    def explanation(self) -> str:
        return "They were too many to be written one by one."


class EventSums:
    """Passes on records of connections, and sums up those beyond so many a second. The journal's writer owns it.

    Seconds are those of the records' own time. So a clock that is set makes one second longer or shorter, no more.

    Args:
        service: The service's name, part of every record.
        per_second: Events of one kind and one address that pass in a second.
    """

    def __init__(self, service: str, *, per_second: int = PER_SECOND) -> None:
        self._service = service
        self._per_second = per_second
        self._second = 0
        self._counts: dict[tuple[str, str], int] = {}  # what came in this second, by event and address
        self._amounts: dict[tuple[str, str], Counter[str]] = {}  # of what was not passed on

    def compute_wait_s(self, now: float) -> float | None:
        """Return how many seconds the sums may still grow; None if there are no sums."""
        return min(WINDOW_S, max(0.0, self._second + WINDOW_S - now)) if self._amounts else None

    def reduce(self, records: Iterable[Record], now: float) -> list[Record]:
        """Return the records to write: those that pass, and the sums of the seconds that are over at `now`."""
        kept: list[Record] = []
        for record in records:
            second = int(record.time)
            if second > self._second or second < self._second - 1:  # threads overtake each other a little
                kept += self.close()
                self._second = second
            event = record.event
            if not isinstance(event, ConnectionEvent) or not event.is_summed:
                kept.append(record)
                continue
            key = event.name, _find_source(event.peer)
            count = self._counts[key] = self._counts.get(key, 0) + 1
            if count <= self._per_second:
                kept.append(record)
            else:
                self._add(key, event)
        if self._amounts and now >= self._second + WINDOW_S:
            kept += self.close()
        return kept

    def close(self) -> Iterator[Record]:
        """Yield the sums, and begin anew."""
        counts, amounts = self._counts, self._amounts
        self._counts, self._amounts = {}, {}
        for key, totals in amounts.items():
            summed = EventsSummed(
                of=key[0],
                address=key[1],
                count=counts[key] - self._per_second,
                seconds=WINDOW_S,
                amounts=dict(totals) or None,
            )
            yield Record(self._second + WINDOW_S, self._service, summed)

    def _add(self, key: tuple[str, str], event: ConnectionEvent) -> None:
        totals = self._amounts.setdefault(key, Counter())
        for name in AMOUNTS:
            amount = getattr(event, name, None)
            if amount is not None:
                totals[name] += amount


def _find_source(peer: str) -> str:
    """Return the source of ``127.0.0.1:50000`` or ``[::1]:50000``; that of ``uid 1000 (ann), pid 42`` is the user."""
    if peer.startswith("uid "):
        return peer.partition(",")[0]
    return find_source_network(peer.rpartition(":")[0].strip("[]"))
