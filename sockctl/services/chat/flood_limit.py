"""How fast a member may speak."""

import threading
import time

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
