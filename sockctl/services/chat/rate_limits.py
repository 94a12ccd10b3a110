"""How fast a member may speak, and how often members may come and create rooms."""

import threading
import time
from collections.abc import Collection

from sockctl.accounts.throttle import BoundedTable
from sockctl.token_bucket import TokenBucket


class FloodLimit:
    """Lets `burst` messages of a member pass at once, then `rate` a second. Any thread may use it.

    A message that costs more than `burst` passes after a rest; the member then waits until it is paid for.
    """

    __slots__ = ("_bucket", "_lock")

    def __init__(self, burst: float, rate: float) -> None:
        self._lock = threading.Lock()  # guards the bucket: a member may speak through several clients
        self._bucket = TokenBucket(rate=rate, burst=burst)

    def allow(self, cost: float = 1.0) -> bool:
        """Return whether a message that costs `cost` may pass; if so, count it."""
        with self._lock:
            return self._bucket.accept(time.monotonic(), cost)


class RateLimit:
    """Counts actions per network or account. Any thread may use it.

    Args:
        burst: How many actions of each may follow without a pause.
        every_s: How soon another one may follow.
        max_keys: How many networks and accounts are remembered; beyond it, the one that acted longest ago goes.
    """

    def __init__(self, *, burst: int, every_s: float, max_keys: int) -> None:
        self._burst = burst
        self._every_s = every_s
        self._lock = threading.Lock()  # guards the table and its buckets; a leaf
        self._buckets: BoundedTable[str, TokenBucket] = BoundedTable(max_keys)

    def allow(self, keys: Collection[str], now: float) -> bool:
        """Return whether one more action of all `keys` together may follow at `now`; if so, count it for each."""
        with self._lock:
            buckets = [self._buckets.get(key) or TokenBucket(rate=1 / self._every_s, burst=self._burst) for key in keys]
            for key, bucket in zip(keys, buckets, strict=True):
                self._buckets.put(key, bucket)
            return all(bucket.has_any(now) for bucket in buckets) and all(bucket.accept(now) for bucket in buckets)
