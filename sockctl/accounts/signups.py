"""How many may sign up from one address."""

import threading
import time
from collections import OrderedDict

from sockctl.accounts.throttle import MAX_ENTRIES, Who
from sockctl.events.token_bucket import TokenBucket

__all__ = ["Signups"]

BURST = 30
"""A classroom behind one address."""
EVERY_S = 60


class Signups:
    """Counts who signs up, per address (IPv6: its /64). Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the table
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def may(self, who: Who) -> bool:
        """Return whether one more may."""
        with self._lock:
            bucket = self._buckets.get(who.address)
            return bucket is None or bucket.has_any(time.monotonic())

    def count(self, who: Who) -> bool:
        """Count one; return whether it may."""
        with self._lock:
            bucket = self._buckets.get(who.address)
            if bucket is None:
                bucket = self._buckets[who.address] = TokenBucket(rate=1 / EVERY_S, burst=BURST)
            self._buckets.move_to_end(who.address)
            if len(self._buckets) > MAX_ENTRIES:
                self._buckets.popitem(last=False)
            return bucket.take(time.monotonic())
