"""The throttle of one server: its tables are in memory, and a restart forgets them. See `throttle` for the rules."""

import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sockctl.accounts.throttle import PENALTIES, Admission, BoundedTable, Penalties, Standing, Who

_MAX_DOUBLINGS = 30


@dataclass(slots=True)
class _Penalty:
    served_at: float
    enforced: bool = False


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_at: float = -math.inf


class LocalThrottle:
    """Counts failures. Any thread may use it; nothing blocks.

    Args:
        clock: Returns monotonic seconds.
        penalties: The costs of failures.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, penalties: Penalties = PENALTIES) -> None:
        self._clock = clock
        self._costs = penalties
        self._lock = threading.Lock()  # guards all below; a leaf
        self._penalties: BoundedTable[str, _Penalty] = BoundedTable(penalties.max_entries)
        self._failures: BoundedTable[tuple[str, str], _Failures] = BoundedTable(penalties.max_entries)
        self._known: BoundedTable[tuple[str, str], float] = BoundedTable(penalties.max_entries)
        self._tickets = itertools.count(1)
        self._tried_networks: Counter[str] = Counter()
        self._tried_pairs: Counter[tuple[str, str]] = Counter()

    def assess(self, who: Who) -> Standing:
        """Return what is known of a source; nothing is counted."""
        with self._lock:
            return Standing(self._compute_wait_s(who), self._is_known(who), self._failed_recently(who))

    def admit(self, who: Who) -> Admission:
        """Begin a try, if it is free even though all running tries fail; it counts as failed until it is settled."""
        with self._lock:
            wait_s = self._compute_wait_s(who)
            if wait_s > 0 or not self._may_start(who):
                return Admission(wait_s=wait_s)
            self._tried_pairs[_make_pair(who)] += 1
            self._tried_networks[who.network] += 1
            return Admission(str(next(self._tickets)))

    def settle(self, who: Who, ticket: str, *, right: bool | None) -> None:
        """Count the end of a try; see `Throttle.settle`."""
        with self._lock:
            if ticket:
                self._tried_pairs[_make_pair(who)] -= 1
                self._tried_networks[who.network] -= 1
                self._tried_pairs += Counter()  # drops the counts of 0
                self._tried_networks += Counter()
            if right:
                self._failures.pop(_make_pair(who), None)
                self._note_known(who)
            elif right is not None:
                self._note_failure(who)

    def know(self, whos: Iterable[Who]) -> None:
        """Note that the accounts logged in from these networks."""
        with self._lock:
            for who in whos:
                self._note_known(who)

    def _is_known(self, who: Who) -> bool:
        known_at = self._known.get((who.account, who.network), -math.inf)
        return bool(who.device) or self._clock() - known_at < self._costs.known_s

    def _failed_recently(self, who: Who) -> bool:
        penalty = self._penalties.get(who.network)
        return penalty is not None and self._clock() - penalty.served_at < self._costs.recent_s

    def _compute_wait_s(self, who: Who) -> float:
        return max(self._compute_network_wait_s(who), self._compute_pair_wait_s(_make_pair(who)), 0.0)

    def _may_start(self, who: Who) -> bool:
        """Return whether a try that need not wait is free even if all running tries fail."""
        pair = _make_pair(who)
        tried = self._tried_pairs[pair]
        if tried and self._count_failures(pair) + tried >= self._costs.free_failures:
            return False
        tried = self._tried_networks[who.network]
        penalty_s = self._compute_penalty_s(who) + tried * self._costs.failure_s
        return not tried or self._is_known(who) or penalty_s < self._costs.enforced_s

    def _note_failure(self, who: Who) -> None:
        now, costs = self._clock(), self._costs
        self._failures.put(_make_pair(who), _Failures(self._count_failures(_make_pair(who)) + 1, now))
        served_at = min(now + self._compute_penalty_s(who) + costs.failure_s, now + costs.max_s)
        enforced = served_at - now >= costs.enforced_s or self._is_enforced(who)
        self._penalties.put(who.network, _Penalty(served_at, enforced))

    def _note_known(self, who: Who) -> None:
        self._known.put((who.account, who.network), self._clock())

    def _compute_penalty_s(self, who: Who) -> float:
        penalty = self._penalties.get(who.network)
        return 0.0 if penalty is None else max(0.0, penalty.served_at - self._clock())

    def _is_enforced(self, who: Who) -> bool:
        return self._compute_penalty_s(who) > 0 and self._penalties[who.network].enforced

    def _compute_network_wait_s(self, who: Who) -> float:
        return self._compute_penalty_s(who) if self._is_enforced(who) and not self._is_known(who) else 0.0

    def _count_failures(self, pair: tuple[str, str]) -> int:
        failures = self._failures.get(pair)
        return 0 if failures is None or self._clock() - failures.last_at > self._costs.forget_s else failures.count

    def _compute_pair_wait_s(self, pair: tuple[str, str]) -> float:
        beyond = self._count_failures(pair) - self._costs.free_failures
        if beyond < 0:
            return 0.0
        pause_s = min(self._costs.max_s, 2.0 ** min(beyond, _MAX_DOUBLINGS))
        return self._failures[pair].last_at + pause_s - self._clock()


def _make_pair(who: Who) -> tuple[str, str]:
    return who.account, who.source
