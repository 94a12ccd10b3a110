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

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sockctl.protocol.names import make_name_key
from sockctl.source_network import IPV6_PREFIX, find_source_network
from sockctl.token_bucket import TokenBucket

SIGNUP_BURST, SIGNUP_EVERY_S = 30, 60.0
"""Signups of a network at once, enough for a classroom behind one address; and the pause before each further one."""
MAX_ENTRIES = 65_536
"""The most entries of a table; a further one replaces the entry that was changed longest ago."""
_MAX_NAME = 64
"""Characters of a name that count: more than a user's name may have."""

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


@dataclass(frozen=True, slots=True)
class Standing:
    """What the throttle knows of a source before a try.

    Attributes:
        wait_s: The seconds that the source must wait for past failures; 0 for a free try.
        is_known: Whether the account knows the device or the network.
        failed_recently: Whether a try from the network has failed recently, at any account.
    """

    wait_s: float
    is_known: bool
    failed_recently: bool


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a source that wants to try now.

    Attributes:
        ticket: The running try, for `Throttle.settle`; empty where the source must not try.
        wait_s: The seconds that it must wait. Without a ticket, 0 means until the end of its tries that run.
    """

    ticket: str = ""
    wait_s: float = 0.0


class Throttle(Protocol):
    """Counts failures. Any thread may use it, and a call may block; so no caller holds a lock.

    Each method raises a StoreError where the tables are out of reach.
    """

    def assess(self, who: Who) -> Standing:
        """Return what is known of a source; nothing is counted."""
        ...

    def admit(self, who: Who) -> Admission:
        """Begin a try, if it is free even though all running tries fail; it counts as failed until it is settled."""
        ...

    def settle(self, who: Who, ticket: str, *, right: bool | None) -> None:
        """Count the end of a try.

        Args:
            who: The source.
            ticket: The ticket of the try; empty for a try that was not admitted.
            right: Whether the password was right; None for a try that counts for nothing.
        """
        ...

    def know(self, whos: Iterable[Who]) -> None:
        """Note that the accounts logged in from these networks."""
        ...


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
