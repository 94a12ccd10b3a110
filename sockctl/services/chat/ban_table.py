"""A table of bans, or of mutes: a few look-ups find the ban of a client, however many bans the table has.

While any member is muted, the chat looks up each message's sender. Each change builds new tables and puts them in place
at once, so no look-up waits for a lock.
"""

import datetime
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from sockctl.protocol.names import make_name_key
from sockctl.services.chat.bans import Ban, Network, Target, parse_network
from sockctl.stores.timestamps import Clock, read_utc_clock
from sockctl.text import clean

_NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
_Key = tuple[str | int, ...]


class _Tables(NamedTuple):
    """All bans, and the one that lasts longest by each key."""

    bans: tuple[Ban, ...]
    by_key: dict[_Key, Ban]
    prefixes: frozenset[tuple[int, int]]  # IP version and host bits of the networks


class BanTable:
    """Bans or mutes. Any thread may use it; nothing in it blocks.

    Args:
        clock: Returns the time, with a time zone.
        on_change: Called after each change, without a lock held.

    Attributes:
        is_empty: Whether the table has no bans, ended ones included.
    """

    def __init__(self, *, clock: Clock = read_utc_clock, on_change: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()  # guards changes
        self.restore(())

    def restore(self, bans: Iterable[Ban]) -> None:
        """Replace all bans."""
        self._tables = _build(bans)
        self.is_empty = not self._tables.bans

    def make(self, target: Target, *, by: str, time: datetime.timedelta | None = None) -> Ban:
        """Return a ban of a target, which takes over the addresses of an earlier one; `put` puts it in force.

        Args:
            target: The target.
            by: The operator's name.
            time: For how long; None for good.
        """
        now = self._clock()
        earlier, _ = _split(self._tables.bans, lambda one: one.target.key == target.key)
        known = [network for one in earlier if one.lasts(now) for network in one.target.networks]
        target = replace(target, networks=tuple(dict.fromkeys([*target.networks, *known])))
        return Ban(target, clean(by), now, None if time is None else now + time)

    def put(self, ban: Ban) -> None:
        """Put a ban in force; it replaces an earlier one of its target."""
        with self._lock:
            _, others = _split(self._tables.bans, lambda one: one.target.key == ban.target.key)
            self.restore([*others, ban])
        self._on_change()

    def list_named(self, word: str) -> list[Ban]:
        """Return the bans of an account, a name or an address that still last."""
        now = self._clock()
        return [ban for ban in self._tables.bans if ban.target.is_named(word) and ban.lasts(now)]

    def drop(self, key: str) -> None:
        """Drop the ban whose target has that key."""
        with self._lock:
            dropped, others = _split(self._tables.bans, lambda one: one.target.key == key)
            if dropped:
                self.restore(others)
        if dropped:
            self._on_change()

    def list_lasting(self) -> list[Ban]:
        """Return the bans that last, in the order in which they were made; forget the others."""
        now = self._clock()
        with self._lock:
            lasting, ended = _split(self._tables.bans, lambda one: one.lasts(now))
            if ended:
                self.restore(lasting)
        return lasting

    def find(self, *, account: str = "", name: str = "", guest: str = "", address: str = "") -> Ban | None:
        """Return a ban of a client; None if none lasts.

        Args:
            account: The user's name.
            name: The name in the chat.
            guest: The guest's id.
            address: The client's IP address.
        """
        if self.is_empty:
            return None
        now, tables = self._clock(), self._tables
        keys: list[_Key] = [("account", account), ("guest", guest), ("name", account), ("name", make_name_key(name))]
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
    if target.guest:
        keys.append(("guest", target.guest))
    return keys or [("name", make_name_key(target.name))]


def _count_host_bits(network: Network) -> int:
    return network.max_prefixlen - network.prefixlen


def _make_network_key(network: Network, bits: int) -> _Key:
    return network.version, bits, int(network.network_address) >> bits
