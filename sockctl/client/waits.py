"""The ends of waits. A wait has a name, and lasts from when the caller first needs it."""


class Waits:
    """The waits of one connection. Times are seconds of one monotonic clock.

    Args:
        default_s: How long a wait lasts that has no time of its own.
    """

    def __init__(self, default_s: float) -> None:
        self._default_s = default_s
        self._until: dict[str, float] = {}

    def end_of(self, wait: str, now: float, *, needed: bool, seconds: float | None = None) -> float | None:
        """Return when a wait is over; None where it isn't needed.

        Args:
            wait: Its name.
            now: The time.
            needed: Whether it is needed.
            seconds: How long it lasts from when it is first needed; None for the default.
        """
        if not needed:
            self.forget(wait)
            return None
        return self._until.setdefault(wait, now + (self._default_s if seconds is None else seconds))

    def forget(self, wait: str) -> None:
        """Let a wait begin anew when it is needed the next time."""
        self._until.pop(wait, None)
