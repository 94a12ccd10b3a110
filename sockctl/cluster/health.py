"""Whether a node's engine is away, as its threads see it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sockctl.errors import EngineError


@dataclass(frozen=True, slots=True)
class Away:
    """The engine has been away for a while.

    Attributes:
        error: Why, as a sentence.
    """

    error: str


@dataclass(frozen=True, slots=True)
class Back:
    """The engine that was away is back.

    Attributes:
        seconds: How long it was away.
    """

    seconds: float


class Health:
    """Tells once that the engine is away, and once that it is back. Any thread may use it.

    Args:
        on_change: Called with either, without a lock held.
        away_after_s: How long it must have been away.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self,
        on_change: Callable[[Away | Back], None],
        *,
        away_after_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change = on_change
        self._away_after_s = away_after_s
        self._clock = clock
        self._lock = threading.Lock()  # guards the next two
        self._failing_since: float | None = None
        self._is_told = False

    def note_success(self) -> None:
        """Note that the engine has answered."""
        if self._failing_since is None:  # what nearly every request sees
            return
        with self._lock:
            since, self._failing_since = self._failing_since, None
            told, self._is_told = self._is_told, False
        if told and since is not None:
            self._on_change(Back(self._clock() - since))

    def note_failure(self, error: EngineError) -> None:
        """Note that it has not."""
        with self._lock:
            now = self._clock()
            if self._failing_since is None:
                self._failing_since = now
            is_due = not self._is_told and now - self._failing_since >= self._away_after_s
            self._is_told = self._is_told or is_due
        if is_due:
            self._on_change(Away(str(error)))
