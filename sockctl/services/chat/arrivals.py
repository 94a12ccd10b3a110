"""Limits how often members may come from one address."""

import threading

from sockctl.accounts.throttle import BoundedTable
from sockctl.services.chat.limits import ChatLimits
from sockctl.source_network import source_network
from sockctl.token_bucket import TokenBucket

__all__ = ["Arrivals"]


class Arrivals:
    """Counts the members that come, per address (IPv6: its /64). Any thread may use it.

    Each coming costs the members of its rooms a message, and the server the history that it tells. A member's flood
    limit doesn't count that, and begins anew with the next name. So coming has a limit of its own.

    Args:
        limits: How many members may come at once, and how soon another one.
    """

    def __init__(self, limits: ChatLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()  # guards the table and its buckets
        self._buckets: BoundedTable[str, TokenBucket] = BoundedTable()

    def request_turn(self, address: str, now: float) -> float:
        """Count one more member of an address and return 0; or return how many seconds to wait before asking again.

        Args:
            address: Its IP address.
            now: The time, on the monotonic clock.
        """
        limits, key = self._limits, source_network(address)
        with self._lock:
            bucket = self._buckets.get(key) or TokenBucket(rate=1 / limits.coming_every_s, burst=limits.comings_at_once)
            self._buckets.put(key, bucket)
            return 0.0 if bucket.take(now) else limits.coming_every_s
