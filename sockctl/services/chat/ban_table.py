"""A table of bans, or of mutes, that finds the one of a client by a few look-ups, however many bans there are.

While any member is muted, each message of each member asks. Each change builds new tables and puts them in place at
once, so no asking thread waits for a lock.
"""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from sockctl.protocol.names import same_name_key
from sockctl.services.chat.bans import Ban, Network, Target, parse_network

__all__ = ["BanTable"]

_NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_Key = tuple[str | int, ...]


class _Tables(NamedTuple):
    """All bans, and the one that lasts longest by each key."""

    bans: tuple[Ban, ...]
    by_key: dict[_Key, Ban]
    prefixes: frozenset[tuple[int, int]]  # IP version and host bits of the networks


class BanTable:
    """Bans or mutes. Any thread may ask; changes need a lock of the caller's."""

    def __init__(self, bans: Iterable[Ban] = ()) -> None:
        self._tables = _build(bans)

    def __bool__(self) -> bool:
        """Return whether there are bans, lasting or not."""
        return bool(self._tables.bans)

    def add(self, ban: Ban) -> Ban:
        """Add a ban, and return it; it replaces an earlier ban of the same target, and takes over its addresses."""
        earlier, others = _split(self._tables.bans, lambda one: one.target.key == ban.target.key)
        known = [network for one in earlier if one.lasts(ban.at) for network in one.target.networks]
        networks = tuple(dict.fromkeys([*ban.target.networks, *known]))
        ban = replace(ban, target=replace(ban.target, networks=networks))
        self._tables = _build([*others, ban])
        return ban

    def remove(self, which: Callable[[Ban], bool]) -> list[Ban]:
        """Remove some bans, and return them."""
        removed, left = _split(self._tables.bans, which)
        if removed:
            self._tables = _build(left)
        return removed

    def list_lasting(self, now: datetime.datetime) -> list[Ban]:
        """Return the bans that last, in the order in which they were made."""
        return [ban for ban in self._tables.bans if ban.lasts(now)]

    def find(
        self, now: datetime.datetime, *, account: str = "", name: str = "", token: str = "", address: str = ""
    ) -> Ban | None:
        """Return a ban of a client; None if none lasts.

        Args:
            now: The time.
            account: The user's name.
            name: The name in the chat.
            token: The guest's token.
            address: The client's IP address.
        """
        tables = self._tables
        keys: list[_Key] = [("account", account), ("token", token), ("name", account), ("name", same_name_key(name))]
        if tables.prefixes and (network := parse_network(address)) is not None:
            keys += (
                _make_network_key(network, bits) for version, bits in tables.prefixes if version == network.version
            )
        found = (tables.by_key.get(key) for key in keys)
        return next((ban for ban in found if ban is not None and ban.lasts(now)), None)


def _split(bans: Iterable[Ban], which: Callable[[Ban], bool]) -> tuple[list[Ban], list[Ban]]:
    """Return the bans that `which` accepts, and the others."""
    chosen: list[Ban] = []
    others: list[Ban] = []
    for ban in bans:
        (chosen if which(ban) else others).append(ban)
    return chosen, others


def _build(bans: Iterable[Ban]) -> _Tables:
    bans = tuple(bans)
    by_key = {key: ban for ban in sorted(bans, key=lambda ban: ban.until or _NEVER) for key in _list_keys(ban.target)}
    networks = (network for ban in bans for network in ban.target.networks)
    return _Tables(bans, by_key, frozenset((network.version, _count_host_bits(network)) for network in networks))


def _list_keys(target: Target) -> list[_Key]:
    keys: list[_Key] = [_make_network_key(network, _count_host_bits(network)) for network in target.networks]
    if target.account:
        keys.append(("account", target.account))
    if target.token:
        keys.append(("token", target.token))
    return keys or [("name", same_name_key(target.name))]


def _count_host_bits(network: Network) -> int:
    return network.max_prefixlen - network.prefixlen


def _make_network_key(network: Network, bits: int) -> _Key:
    return network.version, bits, int(network.network_address) >> bits
