"""The rules that allow or deny networks, and users of this machine, to connect."""

import ipaddress
from collections.abc import Iterable

from sockctl.errors import RuleError
from sockctl.local_user import UID, find_user, parse_user_host

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AccessRules:
    """Decides by address, or at a Unix socket by user, which clients may connect. Immutable: any thread may use it.

    A rule that allows wins over one that denies. A client that no rule names may connect, unless there are only rules
    that allow.

    Args:
        allow: Networks in CIDR notation (RFC 4632), single addresses, or users as ``uid:1000`` or ``uid:ann``.
        deny: The same.
        local_users: The users that may connect where no rule names them; None for all: a file's mode decides.

    Raises:
        RuleError: A rule isn't an address, a network or a user.
    """

    def __init__(
        self, *, allow: Iterable[str] = (), deny: Iterable[str] = (), local_users: frozenset[int] | None = None
    ) -> None:
        self._allow, self._allowed_users = _parse_rules(allow, "--allow")
        self._deny, self._denied_users = _parse_rules(deny, "--deny")
        self._local_users = local_users
        self._open = not (self._allow or self._deny or self._allowed_users or self._denied_users)
        self._open_to_others = self._open or bool(self._deny or self._denied_users)

    def lets_in(self, host: str) -> bool:
        """Return whether a client at `host` may connect; the caller gives an IPv4-mapped IPv6 address as IPv4."""
        uid = parse_user_host(host)
        if uid is not None:
            return self._lets_user_in(uid)
        if self._open:
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
        if any(address in network for network in self._allow):
            return True
        if any(address in network for network in self._deny):
            return False
        return self._open_to_others

    def _lets_user_in(self, uid: int) -> bool:
        if uid in self._allowed_users:
            return True
        if uid in self._denied_users:
            return False
        return self._open_to_others and (self._local_users is None or uid in self._local_users)


def _parse_rules(rules: Iterable[str], option: str) -> tuple[list[_Network], set[int]]:
    """Return the networks and the users that rules name."""
    networks, users = [], set()
    for rule in rules:
        if not rule.startswith(UID):
            networks.append(_parse_network(rule, option))
        elif (uid := find_user(rule)) is not None:
            users.add(uid)
        else:
            raise RuleError(f"{option} {rule!r} names no user of this machine: write uid:1000, or uid:NAME.")
    return networks, users


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
