"""How often members may come from one address."""

import threading

from sockctl.accounts.throttle import BoundedTable
from sockctl.services.chat.limits import ChatLimits
from sockctl.source_network import source_network
from sockctl.token_bucket import TokenBucket

__all__ = ["Arrivals"]


class Arrivals:
    """Counts who comes in, per address (IPv6: its /64). Any thread may use it.

    Each coming costs the members of its rooms news, and the server what it tells of the past. The flood limit of a
    member doesn't see that, and begins anew with the next name. So comings have a limit of their own.

    Args:
        limits: How many may come at once, and how soon another one.
    """

    def __init__(self, limits: ChatLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()  # guards the table and its buckets
        self._buckets: BoundedTable[str, TokenBucket] = BoundedTable()

    def wait_s(self, address: str, now: float) -> float:
        """Count one more that comes from an address, or return after how many seconds it should ask again.

        Args:
            address: Its IP address.
            now: The time, on the monotonic clock.
        """
        limits, key = self._limits, source_network(address)
        with self._lock:
            bucket = self._buckets.get(key) or TokenBucket(rate=1 / limits.coming_every_s, burst=limits.comings_at_once)
            self._buckets.put(key, bucket)
            return 0.0 if bucket.take(now) else limits.coming_every_s
