"""Who must wait before the next try, so that guessing passwords leads nowhere, and no stranger locks anybody out.

| counted per | free | then | forgotten |
|---|---|---|---|
| address, or IPv6 /64: 5 s a failure | less than 15 s | until all is served, 10 min at most | as it is served |
| account, be there one or not | 5 failures | 1 s, doubling, 60 s at most | 1 h after the last, or by a success |

An address from which somebody has got in lately counts for itself with every account: failures from elsewhere don't
lock it out. One from which *this* account has got in lately doesn't serve the address's penalty with it, either. What
is being tried at this moment (reserved) counts as failed.

The penalties per address are those of OpenSSH's PerSourcePenalties.
"""

import ipaddress
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Throttle", "Who"]

PENALTY_S, ENFORCED_S, MAX_PENALTY_S = 5.0, 15.0, 600.0
"""What a failure costs its address; from where on that is served; how much there can be."""
FREE_FAILURES = 5
"""Failures of an account that cost it nothing."""
MAX_PAUSE_S = 60.0
FORGET_S = 3_600.0
"""How long after the last one an account's failures count."""
LATELY_S = 86_400.0
"""For how long a success makes an address known."""
MAX_ENTRIES = 65_536
"""Entries of each table; one more, and the one that was changed longest ago goes."""
_IPV6_HOST_BITS = 64
_IPV6 = 6

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Who:
    """Who tries to get in: an address, and a name, which need not be anybody's.

    Attributes:
        address: What counts as one address.
        account: What counts as one account.
    """

    address: str
    account: str

    @classmethod
    def of(cls, address: str, name: str) -> "Who":
        """Return who it is that types `name` at the IP address `address`."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        network = (
            str(ip) if ip.version != _IPV6 else str(ipaddress.ip_network((int(ip), _IPV6_HOST_BITS), strict=False))
        )
        return cls(network, name.strip().lower()[:64])


@dataclass(slots=True)
class _Penalty:
    served_at: float
    enforced: bool = False


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_at: float = -math.inf


class _Table(OrderedDict[K, V], Generic[K, V]):
    """A bounded table."""

    def put(self, key: K, value: V) -> None:
        """Keep `value` as the one changed last."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > MAX_ENTRIES:
            self.popitem(last=False)


class Throttle:
    """Counts failures. Not thread-safe.

    Args:
        clock: Returns the time in seconds; one that nobody sets.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._penalties: _Table[str, _Penalty] = _Table()
        self._failures: _Table[tuple[str, str], _Failures] = _Table()
        self._known: _Table[str, float] = _Table()  # when somebody got in from an address
        self._known_pairs: _Table[Who, float] = _Table()  # when this account got in from it
        self._tried_addresses: Counter[str] = Counter()
        self._tried_accounts: Counter[tuple[str, str]] = Counter()

    def is_known_pair(self, who: Who) -> bool:
        """Return whether this account has got in lately from this address."""
        return self._clock() - self._known_pairs.get(who, -math.inf) < LATELY_S

    def wait_s(self, who: Who) -> float:
        """Return for how many seconds `who` must wait for what has failed; 0 where a try is free."""
        return max(self._address_wait_s(who), self._account_wait_s(self._bucket(who)), 0.0)

    def may_start(self, who: Who) -> bool:
        """Return whether a try is free even if everything that is being tried fails."""
        if self.wait_s(who) > 0:
            return False
        bucket = self._bucket(who)
        tried = self._tried_accounts[bucket]
        if tried and self._failed(bucket) + tried >= FREE_FAILURES:
            return False
        tried = self._tried_addresses[who.address]
        return not tried or self.is_known_pair(who) or self._penalty_s(who) + tried * PENALTY_S < ENFORCED_S

    def reserve(self, who: Who) -> Callable[[], None]:
        """Count a try as failed until it is known; return what ends that."""
        bucket = self._bucket(who)
        self._tried_accounts[bucket] += 1
        self._tried_addresses[who.address] += 1

        def release() -> None:
            self._tried_accounts[bucket] -= 1
            self._tried_addresses[who.address] -= 1
            self._tried_accounts += Counter()  # which forgets what is at 0
            self._tried_addresses += Counter()

        return release

    def failed(self, who: Who) -> None:
        """Count a failure."""
        now = self._clock()
        bucket = self._bucket(who)
        self._failures.put(bucket, _Failures(self._failed(bucket) + 1, now))
        served_at = min(now + self._penalty_s(who) + PENALTY_S, now + MAX_PENALTY_S)
        enforced = served_at - now >= ENFORCED_S or self._is_enforced(who)
        self._penalties.put(who.address, _Penalty(served_at, enforced))

    def succeeded(self, who: Who) -> None:
        """Forget the account's failures, and know the address from now on."""
        self._failures.pop(self._bucket(who), None)
        self.know(who)

    def know(self, who: Who) -> None:
        """Take note that `who` has got in."""
        self._known.put(who.address, self._clock())
        self._known_pairs.put(who, self._clock())

    def _bucket(self, who: Who) -> tuple[str, str]:
        """Return under what the account's failures are counted: those from a known address for themselves."""
        known = self._clock() - self._known.get(who.address, -math.inf) < LATELY_S
        return who.account, who.address if known else ""

    def _penalty_s(self, who: Who) -> float:
        penalty = self._penalties.get(who.address)
        return 0.0 if penalty is None else max(0.0, penalty.served_at - self._clock())

    def _is_enforced(self, who: Who) -> bool:
        return self._penalty_s(who) > 0 and self._penalties[who.address].enforced

    def _address_wait_s(self, who: Who) -> float:
        return self._penalty_s(who) if self._is_enforced(who) and not self.is_known_pair(who) else 0.0

    def _failed(self, bucket: tuple[str, str]) -> int:
        failures = self._failures.get(bucket)
        return 0 if failures is None or self._clock() - failures.last_at > FORGET_S else failures.count

    def _account_wait_s(self, bucket: tuple[str, str]) -> float:
        beyond = self._failed(bucket) - FREE_FAILURES
        if beyond < 0:
            return 0.0
        pause_s = min(MAX_PAUSE_S, 2.0 ** min(beyond, 10))
        return self._failures[bucket].last_at + pause_s - self._clock()
