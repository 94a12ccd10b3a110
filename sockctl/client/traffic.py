"""Tells what a session moves: at once while it is calm, else as a sum once a second."""

import time
from collections.abc import Callable

from sockctl.events.base import Event
from sockctl.events.client import DataReceived, DataSent
from sockctl.token_bucket import TokenBucket

__all__ = ["TrafficMeter"]

CALM_PER_SECOND = 10
SUM_SECONDS = 1.0


class TrafficMeter:
    """Counts the bytes of a session, and tells them.

    Args:
        tell: Takes the events.

    Attributes:
        bytes_in: Bytes received.
        bytes_out: Bytes sent.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._calm = TokenBucket(rate=CALM_PER_SECOND, burst=CALM_PER_SECOND)
        self._told_in = self._told_out = 0
        self._waits_since: float | None = None
        self.bytes_in = self.bytes_out = 0

    def moved(self, *, received: int = 0, sent: int = 0) -> None:
        """Count bytes; tell them, or let them wait for their sum."""
        self.bytes_in += received
        self.bytes_out += sent
        if self._waits_since is not None:
            return
        now = time.monotonic()
        if self._calm.take(now):
            self._tell_moved(None)
        else:
            self._waits_since = now

    def tell_sum(self, *, ending: bool = False) -> float | None:
        """Tell the sum when its time has come; return for how many seconds it may still grow, or None."""
        if self._waits_since is None:
            return None
        waited_s = time.monotonic() - self._waits_since
        if waited_s < SUM_SECONDS and not ending:
            return SUM_SECONDS - waited_s
        self._tell_moved(waited_s)
        return None

    def _tell_moved(self, seconds: float | None) -> None:
        self._waits_since = None
        received, sent = self.bytes_in - self._told_in, self.bytes_out - self._told_out
        self._told_in, self._told_out = self.bytes_in, self.bytes_out
        if sent:
            self._tell(DataSent(bytes=sent, seconds=seconds))
        if received:
            self._tell(DataReceived(bytes=received, seconds=seconds))
