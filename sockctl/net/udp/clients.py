"""The clients of a server of UDP: addresses that were heard lately, and how fast each may be answered.

A sender can forge millions of addresses. So both tables are bounded, and a full table forgets the longest silent entry.
A real client that is forgotten only gets a new number.
"""

from collections import OrderedDict
from typing import Any

from sockctl.net.address import extract_host, format_address, is_loopback
from sockctl.net.udp.limits import DatagramLimits
from sockctl.source_network import find_source_network
from sockctl.token_bucket import TokenBucket

FEW = 8
"""Datagrams of one event whose sizes are kept each."""


class DatagramClient:
    """An address that was heard. The server's thread alone changes it.

    Attributes:
        number: Its number, counted from 1 since the server's start.
        peer: The address, for people.
        bucket: How many datagrams it may have answered now; its network's other clients share it. None for no limit.
        is_reported: Whether a `ClientHeard` was emitted for it; then its traffic is emitted, too.
        is_touched: Whether a datagram of it came in this round.
        sizes_in: The bytes of the first `FEW` received datagrams that are in no event yet.
        sizes_out: The same of sent datagrams.
        reported: The counts that are in events.
        waits_since: Since when it waits for the sum of its traffic.
        heard_at: When it was heard the last time, on the monotonic clock.
    """

    __slots__ = (
        "bucket",
        "bytes_in",
        "bytes_out",
        "datagrams_in",
        "datagrams_out",
        "heard_at",
        "is_reported",
        "is_touched",
        "number",
        "peer",
        "reported",
        "sizes_in",
        "sizes_out",
        "started",
        "waits_since",
    )

    def __init__(self, number: int, peer: str, bucket: TokenBucket | None, now: float) -> None:
        self.number = number
        self.peer = peer
        self.bucket = bucket
        self.started = self.heard_at = now
        self.is_reported = self.is_touched = False
        self.datagrams_in = self.datagrams_out = self.bytes_in = self.bytes_out = 0
        self.sizes_in: list[int] = []
        self.sizes_out: list[int] = []
        self.reported = self.counts
        self.waits_since = now

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """The datagrams and bytes received, and those sent."""
        return self.datagrams_in, self.bytes_in, self.datagrams_out, self.bytes_out

    def describe(self, now: float) -> dict[str, Any]:
        """Return the fields that `sockctl watch` shows, as of a connection; None where UDP has no such value."""
        return {
            "number": self.number,
            "peer": self.peer,
            "name": "",
            "room": "",
            "wire": "udp",
            "state": "watched",
            "tcp": None,
            "age_s": round(now - self.started, 3),
            "idle_s": round(max(0.0, now - self.heard_at), 3),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "datagrams_in": self.datagrams_in,
            "datagrams_out": self.datagrams_out,
            "recv_q": None,
            "send_q": None,
            "outbox": None,
            "rtt_ms": None,
            "retransmits": None,
            "tls": "",
            "muted": False,
            "paused": False,
            "held": False,
        }


class DatagramClients:
    """The clients that are remembered, the longest silent first. The server's thread alone changes them.

    Args:
        limits: How many are remembered, and how fast each address is answered.

    Attributes:
        by_address: The clients by the addresses that recvfrom() gives.
        heard: How many were heard since the start.
    """

    def __init__(self, limits: DatagramLimits) -> None:
        self._limits = limits
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()  # by network, the longest silent first
        self.by_address: OrderedDict[Any, DatagramClient] = OrderedDict()
        self.heard = 0

    def add(self, address: Any, now: float) -> tuple[DatagramClient, DatagramClient | None]:
        """Remember an address; return its client, and the one that is forgotten for it."""
        displaced = None
        if len(self.by_address) >= self._limits.max_remembered:
            _, displaced = self.by_address.popitem(last=False)
        self.heard += 1
        host = extract_host(address)
        client = DatagramClient(self.heard, format_address(host, address[1]), self._find_bucket(host), now)
        self.by_address[address] = client
        return client, displaced

    def note_heard(self, address: Any, client: DatagramClient, now: float) -> None:
        """Note that a client was heard at `now`."""
        client.heard_at = now
        self.by_address.move_to_end(address)

    def pop_idle(self, now: float) -> DatagramClient | None:
        """Forget the client that was silent for the longest time, if that was long enough; return it."""
        address, client = next(iter(self.by_address.items()), (None, None))
        if client is None or now - client.heard_at < self._limits.idle_s:
            return None
        del self.by_address[address]
        return client

    def find_idle_at(self) -> float | None:
        """Return when the next client is to be forgotten; None where there is none."""
        client = next(iter(self.by_address.values()), None)
        return None if client is None else client.heard_at + self._limits.idle_s

    def _find_bucket(self, host: str) -> TokenBucket | None:
        """Return the bucket of a host's network; None where nothing limits it."""
        rate = self._limits.max_rate
        if rate is None:
            if is_loopback(host):
                return None
            rate = self._limits.network_rate
        network = find_source_network(host, self._limits.ipv6_prefix)
        bucket = self._buckets.get(network)
        if bucket is None:
            if len(self._buckets) >= self._limits.max_remembered:
                self._buckets.popitem(last=False)
            bucket = self._buckets[network] = TokenBucket(rate=rate, burst=rate)
        else:
            self._buckets.move_to_end(network)
        return bucket
