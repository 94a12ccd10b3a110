"""Whether a node's engine is away, and whether the node reads too slowly."""

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
        not_said: How many messages of members were refused meanwhile.
    """

    seconds: float
    not_said: int


class Health:
    """Tells once that the engine is away, and once that it is back. Any thread may use it.

    The engine is away while requests of any source fail: a full one refuses to write, and can be read.

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
        self._lock = threading.Lock()  # guards what follows
        self._failing: dict[str, float] = {}  # since when, by source
        self._since = 0.0
        self._is_told = False
        self._not_said = 0

    @property
    def is_away(self) -> bool:
        """Whether it was told that the engine is away."""
        return self._is_told

    @property
    def is_failing(self) -> bool:
        """Whether the engine doesn't answer at this moment."""
        return bool(self._failing)

    def note_refused(self, count: int) -> None:
        """Note that messages of members were refused."""
        with self._lock:
            self._not_said += count

    def note_success(self, source: str) -> None:
        """Note that the engine has answered."""
        if source not in self._failing:  # what nearly every request sees
            return
        with self._lock:
            del self._failing[source]
            is_back = self._is_told and not self._failing
            back = Back(self._clock() - self._since, self._not_said)
            if is_back:
                self._is_told = False
        if is_back:
            self._on_change(back)

    def note_failure(self, source: str, error: EngineError, *, waited_s: float = 0.0) -> None:
        """Note that it has not, for so long already."""
        with self._lock:
            now = self._clock()
            if not self._failing:
                self._since, self._not_said = now - waited_s, 0
            since = self._failing.setdefault(source, now - waited_s)
            is_due = not self._is_told and now - since >= self._away_after_s
            self._is_told = self._is_told or is_due
        if is_due:
            self._on_change(Away(str(error)))


class Lag:
    """Tells once that a node is behind the log, until it has caught up. One thread uses it.

    Each beat notes the log's last id. The node is behind if it has not read that one at the next beat.

    Args:
        on_lag: Called with the seconds.
        clock: Returns monotonic seconds.
    """

    def __init__(self, on_lag: Callable[[float], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_lag = on_lag
        self._clock = clock
        self._due_id = 0
        self._noted_at = 0.0
        self._is_told = False

    def note(self, *, read: int, last_id: int) -> None:
        """Note the id up to which the node has read, and the last one of the log."""
        if read >= self._due_id:
            self._due_id, self._noted_at, self._is_told = last_id, self._clock(), False
        elif not self._is_told:
            self._is_told = True
            self._on_lag(self._clock() - self._noted_at)
