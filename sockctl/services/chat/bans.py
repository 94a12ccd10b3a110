"""Topics, bans, the targets of bans, and the networks that a ban may name."""

import datetime
import ipaddress
import re
from dataclasses import dataclass, field

from sockctl.local_user import UID, parse_user_host
from sockctl.protocol.names import make_name_key
from sockctl.source_network import IPV6_BITS, IPV6_PREFIX
from sockctl.stores.timestamps import format_timestamp

_ZONE = re.compile(r"%[^/]*")
_MAPPED_BITS = 96
"""The bits in front of the IPv4 address in an IPv4-mapped one, RFC 4291 section 2.5.5.2."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_USERS = ipaddress.IPv6Network("100::/96")
"""Users at a Unix socket as networks: in the discard-only prefix (RFC 6666), where no client's address is."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic of a room, the member that set it, and when."""

    text: str
    by: str
    at: datetime.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The target of a ban or a mute: it matches each client with that account, guest or network.

    A target with none of the three means the name alone; only files of earlier versions have such targets.

    Attributes:
        name: The member's name then; empty where the operator gave an address.
        account: The user's name; empty for a guest.
        guest: The guest's id. The server never saves it in a file, since a token ends with the server.
        networks: The addresses.
    """

    name: str = ""
    account: str = ""
    guest: str = field(default="", repr=False)
    networks: tuple[Network, ...] = ()

    @property
    def key(self) -> str:
        """The key of the target: the later of two targets with equal keys replaces the earlier one."""
        if self.account:
            return f"account {self.account}"
        return " ".join(["name", make_name_key(self.name), *map(format_network, self.networks)])

    def describe(self, *, addresses: bool = True) -> str:
        """Return the target for a person: ``zoe (account bert, address 192.0.2.7)``.

        Args:
            addresses: Whether the reader may see the addresses of a member.
        """
        own = " and ".join(map(format_network, self.networks))
        if not self.name:
            return own
        holds = [f"account {self.account}"] if self.account else []
        if own:
            holds.append(f"address {own}" if addresses else "the address")
        return f"{self.name} ({', '.join(holds)})" if holds else self.name

    def includes(self, address: str) -> bool:
        """Return whether an address is one of the target's, or in one of its networks."""
        own = parse_network(address)
        return own is not None and any(
            own.version == one.version and own.network_address in one for one in self.networks
        )

    def is_named(self, word: str) -> bool:
        """Return whether an operator means this target by an account, a name or an address."""
        key = make_name_key(word.strip())
        if key in {self.account, make_name_key(self.name)}:
            return bool(key)
        return not {parse_network(word), parse_banned_network(word)}.isdisjoint(self.networks)


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban, which keeps its target out; or a mute, which keeps its target from speaking.

    Attributes:
        target: The target.
        by: The operator's name.
        at: When the operator decided it.
        until: When it ends; None for never.
    """

    target: Target
    by: str
    at: datetime.datetime
    until: datetime.datetime | None

    def lasts(self, now: datetime.datetime) -> bool:
        """Return whether the ban still holds."""
        return self.until is None or now < self.until

    @property
    def ends(self) -> str | None:
        """When the ban ends, in the form of RFC 3339; None for never."""
        return None if self.until is None else format_timestamp(self.until)

    def describe_end(self) -> str:
        """Return when the ban ends, for a person, as the end of a sentence; empty for never."""
        return "" if self.until is None else f" until {self.until:%Y-%m-%d %H:%M} UTC"


def parse_network(text: str) -> Network | None:
    """Return the network, or the single address, that a text names in any usual form; None if it names none.

    IPv4-mapped IPv6 is IPv4; a zone (``%eth0``) is left out, and so are the bits behind the prefix. A text that could
    also be a name, such as ``192.0.2.7``, is an address. ``uid:1000`` is a user at a Unix socket.
    """
    if (uid := parse_user_host(text.strip())) is not None and uid < _USERS.num_addresses:
        return ipaddress.IPv6Network((int(_USERS.network_address) + uid, IPV6_BITS))
    try:
        network = ipaddress.ip_network(_ZONE.sub("", text.strip()), strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


def parse_banned_network(text: str) -> Network | None:
    """Return the network that a ban of an address or network bans; None if the text names none.

    A single IPv6 address stands for its /64, within which a client chooses its address. Loopback and link-local
    addresses stand for themselves: their /64 is the machine, or all hosts on the link. ``/128`` names one address.
    """
    network = parse_network(text)
    if not isinstance(network, ipaddress.IPv6Network) or "/" in text or network.is_loopback or network.is_link_local:
        return network
    if network.subnet_of(_USERS):
        return network
    return network.supernet(new_prefix=IPV6_PREFIX)


def format_network(network: Network) -> str:
    """Return the usual form of a network; that of a single address is the address, that of a user ``uid:1000``."""
    if isinstance(network, ipaddress.IPv6Network) and network.num_addresses == 1 and network.subnet_of(_USERS):
        return f"{UID}{int(network.network_address) - int(_USERS.network_address)}"
    return str(network if network.num_addresses > 1 else network.network_address)


def describe_ban(ban: Ban) -> str:
    """Return the text that tells a client of the ban that keeps it out."""
    return f"You are banned here{ban.describe_end()}."
