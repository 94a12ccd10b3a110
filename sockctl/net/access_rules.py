"""The rules that allow or deny networks to connect."""

import ipaddress
from collections.abc import Iterable

from sockctl.errors import RuleError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AccessRules:
    """Decides by address which clients may connect. Immutable, so that any thread may use it.

    A rule that allows wins over one that denies. A client that no rule names may connect, unless there are only rules
    that allow.

    Args:
        allow: Networks in CIDR notation (RFC 4632), or single addresses.
        deny: The same.

    Raises:
        RuleError: A rule isn't an address or a network.
    """

    def __init__(self, *, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> None:
        self._allow = [_parse_network(rule, "--allow") for rule in allow]
        self._deny = [_parse_network(rule, "--deny") for rule in deny]
        self._open = not self._allow and not self._deny

    def lets_in(self, host: str) -> bool:
        """Return whether a client at `host` may connect; the caller gives an IPv4-mapped IPv6 address as IPv4."""
        if self._open:
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
        if any(address in network for network in self._allow):
            return True
        if any(address in network for network in self._deny):
            return False
        return bool(self._deny)


def _parse_network(rule: str, option: str) -> _Network:
    try:
        return ipaddress.ip_network(rule)
    except ValueError as error:
        raise RuleError(f"{option} {rule!r} is not an address or a network: write {_propose_rule(rule)}.") from error


def _propose_rule(rule: str) -> str:
    """Return a proposal for a wrong rule: the network itself, if the user gave another address inside it."""
    try:
        return f"{ipaddress.ip_network(rule, strict=False)}, or the address alone"
    except ValueError:
        return "192.0.2.7 or 192.0.2.0/24"
