"""Who may connect, and how many at once."""

import ipaddress
import threading
from collections import Counter
from collections.abc import Iterable

from sockctl.errors import RuleError
from sockctl.events.reasons import RefusalReason

__all__ = ["AccessRules", "Admission"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AccessRules:
    """Decides by address who may connect. Immutable, so that any thread may ask.

    A rule that allows wins over one that denies. What no rule names is allowed, unless there are allowing rules and
    no denying ones: then everyone else is denied.

    Args:
        allow: Networks in CIDR notation (RFC 4632), or single addresses.
        deny: The same.

    Raises:
        RuleError: A rule isn't an address or a network.
    """

    def __init__(self, *, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> None:
        self._allow = [_network(rule, "--allow") for rule in allow]
        self._deny = [_network(rule, "--deny") for rule in deny]
        self._open = not self._allow and not self._deny

    def lets_in(self, host: str) -> bool:
        """Return whether a client at `host` may connect. IPv4-mapped IPv6 addresses are given as IPv4 here."""
        if self._open:
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
        if any(address in network for network in self._allow):
            return True
        if any(address in network for network in self._deny):
            return False
        return bool(self._deny)


def _network(rule: str, option: str) -> _Network:
    try:
        return ipaddress.ip_network(rule)
    except ValueError as error:
        raise RuleError(f"{option} {rule!r} is not an address or a network: write {_meant(rule)}.") from error


def _meant(rule: str) -> str:
    """Return what may have been meant: the network, where an address inside it was given with a prefix length."""
    try:
        return f"{ipaddress.ip_network(rule, strict=False)}, or the address alone"
    except ValueError:
        return "192.0.2.7 or 192.0.2.0/24"


class Admission:
    """Counts the clients that are connected, and refuses those beyond the limits. Threads may share it.

    Args:
        rules: Who may connect at all.
        max_clients: Clients at once.
        max_clients_per_address: Clients at once from one address.
    """

    def __init__(self, rules: AccessRules, *, max_clients: int, max_clients_per_address: int) -> None:
        self._rules = rules
        self._max_clients = max_clients
        self._max_per_address = max_clients_per_address
        self._lock = threading.Lock()  # guards the two counts: the accepting thread adds, event threads subtract
        self._clients = 0
        self._per_address: Counter[str] = Counter()

    @property
    def clients(self) -> int:
        """How many are connected."""
        return self._clients

    def enter(self, host: str) -> RefusalReason | None:
        """Take a slot for a client at `host`, or say why there is none for it."""
        if not self._rules.lets_in(host):
            return RefusalReason.DENIED
        with self._lock:
            if self._clients >= self._max_clients:
                return RefusalReason.TOO_MANY_CLIENTS
            if self._per_address[host] >= self._max_per_address:
                return RefusalReason.TOO_MANY_FROM_ADDRESS
            self._clients += 1
            self._per_address[host] += 1
        return None

    def leave(self, host: str) -> None:
        """Give back the slot of a client at `host`; once for each `enter` that returned None."""
        with self._lock:
            self._clients -= 1
            self._per_address[host] -= 1
            if not self._per_address[host]:
                del self._per_address[host]  # else the table would grow with every address ever seen
