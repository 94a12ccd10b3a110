"""How many may sign up, or become known, from one network."""

import threading
import time

from sockctl.accounts.throttle import BoundedTable, Who
from sockctl.token_bucket import TokenBucket

__all__ = ["Signups"]

BURST = 30
"""A classroom behind one address."""
EVERY_S = 60.0


class Signups:
    """Counts who signs up, per network. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the table
        self._buckets: BoundedTable[str, TokenBucket] = BoundedTable()

    def may(self, who: Who) -> bool:
        """Return whether one more may."""
        with self._lock:
            bucket = self._buckets.get(who.network)
            return bucket is None or bucket.has_any(time.monotonic())

    def count(self, who: Who) -> bool:
        """Count one; return whether it may."""
        with self._lock:
            bucket = self._buckets.get(who.network) or TokenBucket(rate=1 / EVERY_S, burst=BURST)
            self._buckets.put(who.network, bucket)
            return bucket.accept(time.monotonic())
