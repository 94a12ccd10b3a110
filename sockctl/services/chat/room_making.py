"""How many rooms may be made from one address, and by one account."""

from collections import OrderedDict

from sockctl.services.chat.clients import Client
from sockctl.services.chat.limits import ChatLimits
from sockctl.source_network import source_network
from sockctl.token_bucket import TokenBucket

__all__ = ["RoomMaking"]

MAX_ENTRIES = 10_000
"""Addresses and accounts that are remembered; one more, and the one that made a room longest ago is not any more."""


class RoomMaking:
    """Counts who makes rooms, per address (IPv6: its /64) and per account. Not thread-safe.

    Args:
        limits: How many may be made at once, and how soon another one.
    """

    def __init__(self, limits: ChatLimits) -> None:
        self._limits = limits
        self._buckets: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()

    def may(self, place: Client, now: float) -> bool:
        """Return whether one more room may be made from a place; if so, it is counted. An operator always may."""
        if place.member.operator or not place.address:
            return True
        keys = [("address", source_network(place.address))]
        if place.member.account:
            keys.append(("account", place.member.account))
        buckets = [self._bucket(key) for key in keys]
        return all(bucket.has_any(now) for bucket in buckets) and all(bucket.take(now) for bucket in buckets)

    def _bucket(self, key: tuple[str, str]) -> TokenBucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(
                rate=1 / self._limits.room_every_s, burst=self._limits.rooms_at_once
            )
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_ENTRIES:
            self._buckets.popitem(last=False)
        return bucket
