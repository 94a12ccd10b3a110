"""Finds the addresses at which clients reach a server, from this machine and from others."""

import ipaddress
from dataclasses import dataclass

import ifaddr

from sockctl.net.address import Endpoint, is_loopback


@dataclass(frozen=True, slots=True)
class Reach:
    """The addresses of a server for clients.

    Attributes:
        machine: Addresses for clients on this machine.
        network: Addresses for clients on other machines, virtual ones included.
    """

    machine: tuple[Endpoint, ...]
    network: tuple[Endpoint, ...]


def find_reach(hosts: list[str], port: int) -> Reach:
    """Return the addresses at which clients reach a server that listens on `hosts`.

    An unspecified address (``0.0.0.0``, ``::``) stands for every address of every interface, except link-local IPv6
    addresses: each client would write those with a scope of its own.
    """
    addresses = [address for host in hosts for address in _list_addresses(host)]
    unique = list(dict.fromkeys(addresses))
    loopback = [address for address in unique if is_loopback(address)]
    network = [address for address in unique if not is_loopback(address)]
    machine = loopback or network  # clients on this machine reach a server on one network address there, too
    return Reach(
        tuple(Endpoint(address, port) for address in machine), tuple(Endpoint(address, port) for address in network)
    )


def _list_addresses(host: str) -> list[str]:
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return [host]
    both = address.version == 6  # noqa: PLR2004  the server's :: takes IPv4 as well
    found = [ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    ipv4 = [ip.ip for ip in found if isinstance(ip.ip, str)]
    ipv6 = [ip.ip[0] for ip in found if not isinstance(ip.ip, str)]
    return ipv4 + [one for one in ipv6 if both and not ipaddress.ip_address(one).is_link_local]
