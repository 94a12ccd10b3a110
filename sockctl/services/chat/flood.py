"""How fast a member may speak."""

import threading
import time

from sockctl.token_bucket import TokenBucket

__all__ = ["FloodLimit"]


class FloodLimit:
    """What one member may say: `burst` messages at once, then `rate` a second. Any thread may use it.

    What costs more than `burst` passes after a rest, and the member then waits until it is paid for.
    """

    __slots__ = ("_bucket", "_lock")

    def __init__(self, burst: float, rate: float) -> None:
        self._lock = threading.Lock()  # guards the bucket: a member may speak from several places
        self._bucket = TokenBucket(rate=rate, burst=burst)

    def lets_pass(self, cost: float = 1.0) -> bool:
        """Return whether another message may pass, which counts for `cost` messages; if so, it is counted."""
        with self._lock:
            return self._bucket.take(time.monotonic(), cost)
