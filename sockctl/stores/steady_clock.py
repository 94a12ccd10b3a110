"""The time as a server believes it: the system's clock, unless that clock has just jumped.

Somebody may set the system's clock wrong for a moment. Sessions that expire by it must not end at once. So a jump
counts only when it has lasted an hour by a clock that nobody sets. Soon after a start that is less: the time for which
the clock was seen before the jump, a minute at least. For many machines start with a wrong clock, and set it when they
find the network.
"""

import datetime
import threading
import time
from collections.abc import Callable

from sockctl.stores.timestamps import Clock, utc_now

TOLERANCE_S = 60.0
"""A smaller change of the clock is a correction, no jump."""
LASTING_S = 3_600.0
"""A jump that lasts so long counts."""
LEAST_S = 60.0
"""A jump that lasts less doesn't count, however short the time before it."""


def read_boot_clock() -> float:
    """Return the seconds of a clock that no user sets. Where the system can, they include the time asleep."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SteadyClock:
    """Returns the time, with a time zone. Any thread may call it; a jump is noticed only by being called.

    Args:
        system: The clock that may jump.
        steady: Returns seconds of a clock that nobody sets.
        lasting_s: Seconds after which a jump counts.
    """

    def __init__(
        self,
        *,
        system: Clock = utc_now,
        steady: Callable[[], float] = read_boot_clock,
        lasting_s: float = LASTING_S,
    ) -> None:
        self._system = system
        self._steady = steady
        self._lasting_s = lasting_s
        self._lock = threading.Lock()  # guards the four below
        self._since = steady()  # when the offset was first seen
        self._offset_s = system().timestamp() - self._since
        self._jump_s: float | None = None  # the offset after a jump that doesn't count yet
        self._jumped_at = 0.0

    def __call__(self) -> datetime.datetime:
        """Return the time."""
        with self._lock:
            now = self._steady()
            self._note_offset(self._system().timestamp() - now, now)
            return datetime.datetime.fromtimestamp(now + self._offset_s, datetime.UTC)

    def _note_offset(self, offset_s: float, now: float) -> None:
        if abs(offset_s - self._offset_s) <= TOLERANCE_S:
            self._offset_s, self._jump_s = offset_s, None
        elif self._jump_s is None or abs(offset_s - self._jump_s) > TOLERANCE_S:
            self._jump_s, self._jumped_at = offset_s, now
        elif now - self._jumped_at >= min(self._lasting_s, max(LEAST_S, self._jumped_at - self._since)):
            self._offset_s, self._jump_s, self._since = offset_s, None, self._jumped_at
