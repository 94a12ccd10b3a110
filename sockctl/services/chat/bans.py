"""Topics, bans, for whom a ban holds, and the networks that a ban may name."""

import datetime
import ipaddress
import re
from dataclasses import dataclass, field

from sockctl.protocol.names import same_name_key
from sockctl.source_network import IPV6_PREFIX

__all__ = ["Ban", "Network", "Target", "Topic", "blocked_network", "network_of", "shown_network"]

_ZONE = re.compile(r"%[^/]*")
_MAPPED_BITS = 96
"""The bits in front of the IPv4 address in an IPv4-mapped one, RFC 4291 section 2.5.5.2."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic of a room: what it is, and who set it when."""

    text: str
    by: str
    at: datetime.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """For whom a ban or a mute holds: each of account, guest token and networks suffices.

    A target with none of the three holds for the name alone; only files of older versions have such.

    Attributes:
        name: The name under which the member was known; empty where the operator gave an address.
        account: The user's name; empty for a guest.
        token: The guest's token. It is kept in memory only, as the token's worth ends with the server.
        networks: The addresses.
    """

    name: str = ""
    account: str = ""
    token: str = field(default="", repr=False)
    networks: tuple[Network, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What two targets have in common of which the later one replaces the earlier one."""
        return (self.account,) if self.account else (same_name_key(self.name), *self.networks)

    def shown(self, *, addresses: bool = True) -> str:
        """Return the target for people: ``zoe (account bert, address 192.0.2.7)``.

        Args:
            addresses: Whether the reader may see the addresses of a member.
        """
        own = " and ".join(map(shown_network, self.networks))
        if not self.name:
            return own
        holds = [f"account {self.account}"] if self.account else []
        if own:
            holds.append(f"address {own}" if addresses else "the address")
        return f"{self.name} ({', '.join(holds)})" if holds else self.name

    def is_named(self, word: str) -> bool:
        """Return whether an operator means this target by an account, a name or an address."""
        key = same_name_key(word.strip())
        if key in {self.account, same_name_key(self.name)}:
            return bool(key)
        return not {network_of(word), blocked_network(word)}.isdisjoint(self.networks)


@dataclass(frozen=True, slots=True)
class Ban:
    """Somebody who is kept out, or (as a mute) kept from speaking.

    Attributes:
        target: For whom it holds.
        by: Who decided it.
        at: When.
        until: When it ends; None for never.
    """

    target: Target
    by: str
    at: datetime.datetime
    until: datetime.datetime | None

    def lasts(self, now: datetime.datetime) -> bool:
        """Return whether it isn't over."""
        return self.until is None or now < self.until


def network_of(text: str) -> Network | None:
    """Return the network, or the single address, that a text names in any usual form; None if it names none.

    IPv4-mapped IPv6 is IPv4; a zone (``%eth0``) is left out, and so are the bits behind the prefix. A text that could
    also be a name, such as ``192.0.2.7``, is an address.
    """
    try:
        network = ipaddress.ip_network(_ZONE.sub("", text.strip()), strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


def blocked_network(text: str) -> Network | None:
    """Return the network for which a ban of an address or network holds; None if the text names none.

    A single IPv6 address stands for its /64, within which a client chooses its address. Loopback and link-local
    addresses stand for themselves: their /64 is the machine, or everybody on the link. ``/128`` names one address.
    """
    network = network_of(text)
    if not isinstance(network, ipaddress.IPv6Network) or "/" in text or network.is_loopback or network.is_link_local:
        return network
    return network.supernet(new_prefix=IPV6_PREFIX)


def shown_network(network: Network) -> str:
    """Return the usual form of a network; that of a single address is the address."""
    return str(network if network.num_addresses > 1 else network.network_address)
