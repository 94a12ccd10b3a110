"""The time as a server believes it: the system's clock, unless that clock has just jumped.

A user may set the system's clock wrong for a moment, and sessions must not expire for that. So a jump counts only when
it has lasted an hour by a monotonic clock. Soon after a start, a jump must last only as long as the server ran before
it, and a minute at least: many machines start with a wrong clock, and set it when they find the network.
"""

import datetime
import threading
import time
from collections.abc import Callable

from sockctl.stores.timestamps import Clock, read_utc_clock

TOLERANCE_S = 60.0
"""A smaller change of the clock is a correction, not a jump."""
LASTING_S = 3_600.0
"""A jump that lasts so long counts."""
LEAST_S = 60.0
"""A jump that lasts less doesn't count, however soon after the start."""


def read_boot_clock() -> float:
    """Return monotonic seconds; if the system can tell, they include the time asleep."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SteadyClock:
    """Returns the time, with a time zone. Any thread may call it; only a call notices a jump.

    Args:
        system: The clock that may jump.
        steady: Returns monotonic seconds.
        lasting_s: Seconds after which a jump counts.
    """

    def __init__(
        self,
        *,
        system: Clock = read_utc_clock,
        steady: Callable[[], float] = read_boot_clock,
        lasting_s: float = LASTING_S,
    ) -> None:
        self._system = system
        self._steady = steady
        self._lasting_s = lasting_s
        self._lock = threading.Lock()  # guards the four below
        self._since = steady()  # when a call first saw the offset
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
