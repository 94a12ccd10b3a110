"""The source of a client, for limits by address: an IPv4 address, or an IPv6 network."""

import socket

from sockctl.local_user import UID

IPV6_PREFIX = 64
"""Bits of an IPv6 address that name a site's network: within it each host chooses its own address (RFC 6177)."""
IPV6_BITS = 128
_LINK_LOCAL, _LINK_LOCAL_SHIFT = 0xFE80 >> 6, 118
"""The first ten bits of a link-local address (fe80::/10, RFC 4291 section 2.5.6)."""


def find_source_network(host: str, ipv6_prefix: int = IPV6_PREFIX) -> str:
    """Return the source of a client, for limits by address.

    A user of this machine (``uid:1000``, at a Unix socket) counts by itself. An IPv4 address counts by itself, an IPv6
    address as its network, all of which one machine may use. A link-local address counts by itself, since all machines
    of a link share its network, and so does loopback.

    Args:
        host: An IP address from `extract_host`, or a user.
        ipv6_prefix: How many bits of an IPv6 address count.
    """
    if ":" not in host or host == "::1" or host.startswith(UID):
        return host
    address = int.from_bytes(socket.inet_pton(socket.AF_INET6, host.partition("%")[0]))  # much faster than `ipaddress`
    if address >> _LINK_LOCAL_SHIFT == _LINK_LOCAL:
        return host
    host_bits = IPV6_BITS - ipv6_prefix
    network = (address >> host_bits << host_bits).to_bytes(IPV6_BITS // 8)
    return f"{socket.inet_ntop(socket.AF_INET6, network)}/{ipv6_prefix}"
