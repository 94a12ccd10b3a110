"""Topics, bans, and the networks that a ban may name."""

import datetime
import ipaddress
import re
from dataclasses import dataclass

__all__ = ["Ban", "Network", "Topic", "network_of", "shown_network"]

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


@dataclass(frozen=True, slots=True)
class Ban:
    """Somebody who is kept out, or (as a mute) kept from speaking.

    Attributes:
        who: A user's name, or an IP address or network in its usual form.
        is_address: Whether it is one of the latter.
        by: Who decided it.
        at: When.
        until: When it ends; None for never.
    """

    who: str
    is_address: bool
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


def shown_network(network: Network) -> str:
    """Return the usual form of a network; that of a single address is the address."""
    return str(network if network.num_addresses > 1 else network.network_address)
