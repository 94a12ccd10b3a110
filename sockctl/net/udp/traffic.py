"""Emits the traffic of a server of UDP: each datagram while traffic is calm, sums while it is busy.

The rules are those of `sockctl.net.traffic`: the hot path only counts. An event has the difference between a client's
counts and those that earlier events had.
"""

import math

from sockctl.events.base import Level
from sockctl.events.journal import Journal
from sockctl.events.udp import DatagramsReceived, DatagramsSent
from sockctl.net.traffic import CALM_PER_SECOND
from sockctl.net.udp.clients import FEW, DatagramClient
from sockctl.net.udp.limits import DatagramLimits
from sockctl.token_bucket import TokenBucket


class DatagramTraffic:
    """Emits the data events of the clients; the server's thread alone calls it.

    Args:
        journal: Takes the events.
        limits: How often sums are emitted.

    Attributes:
        due_at: When the next sums are due.
    """

    def __init__(self, journal: Journal, limits: DatagramLimits) -> None:
        self._journal = journal
        self._limits = limits
        self._silent = not journal.emits(Level.INFO)
        self._calm = TokenBucket(rate=CALM_PER_SECOND, burst=CALM_PER_SECOND)
        self._waiting: dict[DatagramClient, None] = {}  # in the order in which they came
        self.due_at = math.inf

    def add(self, client: DatagramClient, now: float) -> None:
        """Emit the traffic of a client, or let it wait for its sum."""
        if self._silent or client in self._waiting:
            return
        if self._calm.accept(now):
            self._emit(client, None)
            return
        client.waits_since = now
        self._waiting[client] = None
        self.due_at = min(self.due_at, now + self._limits.sum_s)

    def emit_sums(self, now: float) -> None:
        """Emit the sums that have waited long enough, some of them in each second."""
        emitted = 0
        while emitted < self._limits.sums_per_second and self._find_first_due_at() <= now:
            client = next(iter(self._waiting))
            del self._waiting[client]
            self._emit(client, now - client.waits_since)
            emitted += 1
        self.due_at = self._find_first_due_at() if emitted < self._limits.sums_per_second else now + self._limits.sum_s

    def settle(self, client: DatagramClient, now: float) -> None:
        """Emit the last traffic of a client that is forgotten; nothing of one that no event has named."""
        waited = self._waiting.pop(client, self) is None
        if client.is_reported and not self._silent:
            self._emit(client, now - client.waits_since if waited else None)

    def _find_first_due_at(self) -> float:
        first = next(iter(self._waiting), None)
        return math.inf if first is None else first.waits_since + self._limits.sum_s

    def _emit(self, client: DatagramClient, seconds: float | None) -> None:
        reported, client.reported = client.reported, client.counts
        came, bytes_in, went, bytes_out = (new - old for new, old in zip(client.reported, reported, strict=True))
        sizes_in, client.sizes_in = client.sizes_in, []
        sizes_out, client.sizes_out = client.sizes_out, []
        over = None if seconds is None else round(seconds, 3)
        for kind, count, size, sizes in (
            (DatagramsReceived, came, bytes_in, sizes_in),
            (DatagramsSent, went, bytes_out, sizes_out),
        ):
            if count:
                each = tuple(sizes) if count <= FEW else None
                event = kind(
                    connection=client.number, peer=client.peer, datagrams=count, bytes=size, sizes=each, seconds=over
                )
                self._journal.emit(event)
