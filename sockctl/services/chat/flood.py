"""How fast a member may speak."""

import threading
import time

from sockctl.events.token_bucket import TokenBucket

__all__ = ["FloodLimit"]


class FloodLimit:
    """What one member may say: `burst` messages at once, then `rate` a second. Any thread may use it."""

    __slots__ = ("_bucket", "_lock")

    def __init__(self, burst: float, rate: float) -> None:
        self._lock = threading.Lock()  # guards the bucket: a member may speak from several places
        self._bucket = TokenBucket(rate=rate, burst=burst)

    def lets_pass(self) -> bool:
        """Return whether another message may pass; if so, it is counted."""
        with self._lock:
            return self._bucket.take(time.monotonic())
