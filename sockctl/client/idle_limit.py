"""Ends a session in which nothing moves."""

from sockctl.errors import IdleTimeoutError


class IdleLimit:
    """How long a connection may be idle.

    Args:
        idle_s: Seconds without traffic; None for no limit.
        now: The time at which the connection began.
    """

    def __init__(self, idle_s: float | None, now: float) -> None:
        self._idle_s = idle_s
        self._moved_at = now

    def note_traffic(self, now: float) -> None:
        """Note that bytes were sent or received."""
        self._moved_at = now

    def settle(self, now: float) -> float | None:
        """Return when the time is up; None for never.

        Raises:
            IdleTimeoutError: The time is up.
        """
        if self._idle_s is None:
            return None
        if now >= self._moved_at + self._idle_s:
            raise IdleTimeoutError(f"Nothing was sent or received for {self._idle_s:g} s (--idle-timeout).")
        return self._moved_at + self._idle_s
