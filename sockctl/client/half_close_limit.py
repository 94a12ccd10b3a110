"""How long a listener still sends to a client that has half-closed the connection."""

from sockctl.client.settings import QUIT_AFTER_S


class HalfCloseLimit:
    """How long the own input may pause, once the client sends no more.

    A client may half-close behind its last question, and wait for the answer. The listener can't tell such a client
    from one that has gone. So it takes an input that pauses for long as ended.

    Args:
        pause_s: Seconds that the input may pause; None for the usual time.
        now: The time.

    Attributes:
        has_begun: Whether the client has ended its side.
    """

    def __init__(self, pause_s: float | None, now: float) -> None:
        self.has_begun = False
        self._pause_s = QUIT_AFTER_S if pause_s is None else pause_s
        self._moved_at = now

    def begin(self, now: float) -> None:
        """Note that the client has ended its side."""
        self.has_begun = True
        self._moved_at = now

    def note_sent(self, now: float) -> None:
        """Note that bytes were sent."""
        self._moved_at = now

    @property
    def due_at(self) -> float:
        """When the input has paused for too long."""
        return self._moved_at + self._pause_s
