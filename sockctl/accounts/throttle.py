"""The throttle: how long a source of login tries must wait. Guessing stays slow, and no source locks out another.

A source is a network (one IPv4 address, one IPv6 /64) or a known device. Each source pays for its own failures only:

| counted per | free | then it waits | forgotten |
|---|---|---|---|
| network: 5 s a failure | less than 15 s | until all is served, 10 min at most | as it is served |
| source and account | 5 failures | 1 s, doubling, 10 min at most | 24 h after the last, or by a success |

A name that is no account counts as an account.

An account has no pause of its own: a stranger would choose how long its user waits. N networks that obey the throttle
guess 5 N times at one account, then N times in 10 minutes.

A device is known to an account if it shows a token of that account, expired or not. A network is known to an account if
the account logged in from there within 30 days. A known source doesn't serve its network's penalty: a neighbour may
have caused it. A running try counts as failed until its end is known.

The penalties of a network are those of OpenSSH's PerSourcePenalties.
"""

import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from sockctl.protocol.names import make_name_key
from sockctl.source_network import IPV6_PREFIX, find_source_network
from sockctl.token_bucket import TokenBucket

SIGNUP_BURST, SIGNUP_EVERY_S = 30, 60.0
"""Signups of a network at once, enough for a classroom behind one address; and the pause before each further one."""
MAX_ENTRIES = 65_536
"""The most entries of a table; a further one replaces the entry that was changed longest ago."""
_MAX_NAME = 64
"""Characters of a name that count: more than a user's name may have."""
_MAX_DOUBLINGS = 30

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalties:
    """The costs of failures.

    Attributes:
        failure_s: Penalty of a network for each failure.
        enforced_s: The least penalty that a network must serve; it must then serve all of it.
        max_s: The longest penalty of a network, and the longest pause of a source at one account.
        free_failures: Failures of a source at one account that cost no pause.
        forget_s: How long the failures of a source at one account count after the last one.
        known_s: How long a success makes a network known to the account.
        recent_s: How long after its penalty is served a network counts as one that failed recently.
        max_entries: Entries of each table.
    """

    failure_s: float = 5.0
    enforced_s: float = 15.0
    max_s: float = 600.0
    free_failures: int = 5
    forget_s: float = 86_400.0
    known_s: float = 30 * 86_400.0
    recent_s: float = 3_600.0
    max_entries: int = MAX_ENTRIES


PENALTIES = Penalties()


@dataclass(frozen=True, slots=True)
class Who:
    """The source of a try, and the account name that it tries.

    Attributes:
        network: The client's network.
        account: The name, as the throttle counts it; there may be no such user.
        device: The id of the device, if it is known to the account; else empty.
    """

    network: str
    account: str
    device: str = ""

    @classmethod
    def of(cls, address: str, name: str, *, ipv6_prefix: int = IPV6_PREFIX, device: str = "") -> "Who":
        """Return the source of a try with `name` from an IP address."""
        return cls(find_source_network(address, ipv6_prefix), make_name_key(name.strip())[:_MAX_NAME], device)

    @property
    def source(self) -> str:
        """The key that failures are counted by: the device if it is known, else the network."""
        return self.device or self.network


@dataclass(slots=True)
class _Penalty:
    served_at: float
    enforced: bool = False


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_at: float = -math.inf


class BoundedTable(OrderedDict[K, V], Generic[K, V]):
    """A table that forgets the entry that was changed longest ago. Not thread-safe.

    Args:
        max_entries: How many entries it holds.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        super().__init__()
        self._max_entries = max_entries

    def put(self, key: K, value: V) -> None:
        """Set the value of a key, as the entry changed last."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._max_entries:
            self.popitem(last=False)


class Throttle:
    """Counts failures. Not thread-safe.

    Args:
        clock: Returns monotonic seconds.
        penalties: The costs of failures.
    """

    def __init__(self, clock: Callable[[], float], penalties: Penalties = PENALTIES) -> None:
        self._clock = clock
        self._costs = penalties
        self._penalties: BoundedTable[str, _Penalty] = BoundedTable(penalties.max_entries)
        self._failures: BoundedTable[tuple[str, str], _Failures] = BoundedTable(penalties.max_entries)
        self._known: BoundedTable[tuple[str, str], float] = BoundedTable(penalties.max_entries)
        self._tried_networks: Counter[str] = Counter()
        self._tried_pairs: Counter[tuple[str, str]] = Counter()

    def is_known(self, who: Who) -> bool:
        """Return whether the account knows the device or the network."""
        known_at = self._known.get((who.account, who.network), -math.inf)
        return bool(who.device) or self._clock() - known_at < self._costs.known_s

    def failed_recently(self, who: Who) -> bool:
        """Return whether a try from the network has failed recently, at any account."""
        penalty = self._penalties.get(who.network)
        return penalty is not None and self._clock() - penalty.served_at < self._costs.recent_s

    def compute_wait_s(self, who: Who) -> float:
        """Return the seconds that `who` must wait for past failures; 0 for a free try."""
        return max(self._compute_network_wait_s(who), self._compute_pair_wait_s(_make_pair(who)), 0.0)

    def may_start(self, who: Who) -> bool:
        """Return whether a try is free even if all running tries fail."""
        if self.compute_wait_s(who) > 0:
            return False
        pair = _make_pair(who)
        tried = self._tried_pairs[pair]
        if tried and self._count_failures(pair) + tried >= self._costs.free_failures:
            return False
        tried = self._tried_networks[who.network]
        penalty_s = self._compute_penalty_s(who) + tried * self._costs.failure_s
        return not tried or self.is_known(who) or penalty_s < self._costs.enforced_s

    def reserve(self, who: Who) -> Callable[[], None]:
        """Count a try as failed until its end is known; return the function that stops counting it."""
        pair = _make_pair(who)
        self._tried_pairs[pair] += 1
        self._tried_networks[who.network] += 1

        def release() -> None:
            self._tried_pairs[pair] -= 1
            self._tried_networks[who.network] -= 1
            self._tried_pairs += Counter()  # drops the counts of 0
            self._tried_networks += Counter()

        return release

    def count_failure(self, who: Who) -> None:
        """Count a failure."""
        now, costs = self._clock(), self._costs
        self._failures.put(_make_pair(who), _Failures(self._count_failures(_make_pair(who)) + 1, now))
        served_at = min(now + self._compute_penalty_s(who) + costs.failure_s, now + costs.max_s)
        enforced = served_at - now >= costs.enforced_s or self._is_enforced(who)
        self._penalties.put(who.network, _Penalty(served_at, enforced))

    def count_success(self, who: Who) -> None:
        """Forget the failures of the source at the account, and note that the account knows its network."""
        self._failures.pop(_make_pair(who), None)
        self.know(who)

    def know(self, who: Who) -> None:
        """Note that the account logged in from the network."""
        self._known.put((who.account, who.network), self._clock())

    def _compute_penalty_s(self, who: Who) -> float:
        penalty = self._penalties.get(who.network)
        return 0.0 if penalty is None else max(0.0, penalty.served_at - self._clock())

    def _is_enforced(self, who: Who) -> bool:
        return self._compute_penalty_s(who) > 0 and self._penalties[who.network].enforced

    def _compute_network_wait_s(self, who: Who) -> float:
        return self._compute_penalty_s(who) if self._is_enforced(who) and not self.is_known(who) else 0.0

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


class RateLimit:
    """Counts actions per network or account. Any thread may use it.

    Args:
        burst: How many actions of each key may follow without a pause.
        every_s: How soon another one may follow.
        max_keys: The most networks and accounts; a further one replaces the one that acted longest ago.
    """

    def __init__(self, *, burst: int, every_s: float, max_keys: int = MAX_ENTRIES) -> None:
        self._burst = burst
        self._every_s = every_s
        self._lock = threading.Lock()  # guards the table and its buckets; a leaf
        self._buckets: BoundedTable[str, TokenBucket] = BoundedTable(max_keys)

    def would_allow(self, key: str, now: float) -> bool:
        """Return whether one more action may follow at `now`, without counting it."""
        with self._lock:
            bucket = self._buckets.get(key)
            return bucket is None or bucket.has_any(now)

    def allow(self, keys: Collection[str], now: float) -> bool:
        """Return whether one more action of all `keys` together may follow at `now`; if so, count it for each."""
        with self._lock:
            buckets = [self._buckets.get(key) or TokenBucket(rate=1 / self._every_s, burst=self._burst) for key in keys]
            for key, bucket in zip(keys, buckets, strict=True):
                self._buckets.put(key, bucket)
            return all(bucket.has_any(now) for bucket in buckets) and all(bucket.accept(now) for bucket in buckets)


def limit_signups() -> RateLimit:
    """Return a limit for signups, or newly known clients, by network."""
    return RateLimit(burst=SIGNUP_BURST, every_s=SIGNUP_EVERY_S)
