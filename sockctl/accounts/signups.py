"""How many may sign up from one address."""

import threading
import time
from collections import OrderedDict

from sockctl.accounts.throttle import MAX_ENTRIES, Who
from sockctl.errors import ThrottledError
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

    def count(self, who: Who) -> None:
        """Count one.

        Raises:
            ThrottledError: There were too many.
        """
        with self._lock:
            bucket = self._buckets.get(who.address)
            if bucket is None:
                bucket = self._buckets[who.address] = TokenBucket(rate=1 / EVERY_S, burst=BURST)
            self._buckets.move_to_end(who.address)
            if len(self._buckets) > MAX_ENTRIES:
                self._buckets.popitem(last=False)
            if not bucket.take(time.monotonic()):
                raise ThrottledError(
                    f"Too many have signed up from your address: try again in {EVERY_S} s.", retry_after_s=EVERY_S
                )
