"""Limits how many rooms one address, and one account, may create."""

from collections import OrderedDict

from sockctl.services.chat.limits import ChatLimits
from sockctl.services.chat.member import Client
from sockctl.source_network import source_network
from sockctl.token_bucket import TokenBucket

__all__ = ["RoomCreationLimit"]


class RoomCreationLimit:
    """Counts the rooms that are created, per address (IPv6: its /64) and per account. Not thread-safe.

    Args:
        limits: How many rooms may be created at once, and how soon another one.
    """

    def __init__(self, limits: ChatLimits) -> None:
        self._limits = limits
        self._buckets: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()

    def allow(self, client: Client, now: float) -> bool:
        """Return whether a client may create one more room; if so, count it. An operator always may."""
        if client.member.operator or not client.address:
            return True
        keys = [("address", source_network(client.address))]
        if client.member.account:
            keys.append(("account", client.member.account))
        buckets = [self._find_bucket(key) for key in keys]
        return all(bucket.has_any(now) for bucket in buckets) and all(bucket.take(now) for bucket in buckets)

    def _find_bucket(self, key: tuple[str, str]) -> TokenBucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(
                rate=1 / self._limits.room_every_s, burst=self._limits.rooms_at_once
            )
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._limits.max_room_creators:
            self._buckets.popitem(last=False)
        return bucket
