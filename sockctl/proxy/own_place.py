"""Where the proxy itself listens, so that it never connects to itself: each connection would lead to a further one."""

import contextlib
import os
import socket
from typing import Any

from sockctl.errors import TargetIsProxyError, UnreachableError
from sockctl.net.address import Endpoint, extract_host, find_unix_address, is_abstract, is_address, is_unix
from sockctl.net.connector import Addresses, look_up_addresses
from sockctl.net.listener import Listeners

_EVERY_IPV4_INTERFACE = "0.0.0.0"  # noqa: S104  compared, not bound
_LOOPBACK = {_EVERY_IPV4_INTERFACE: "127.0.0.1", "::": "::1"}
"""Where connect() leads that is given no address (tcp(7))."""


class OwnPlace:
    """The addresses of the proxy's listening sockets. Threads may share it.

    Args:
        listeners: The listening sockets.
    """

    def __init__(self, listeners: Listeners) -> None:
        self._port = listeners.port
        self._hosts = frozenset(map(extract_host, ((host, 0) for host in listeners.hosts)))
        self._unix = None if listeners.unix is None else listeners.unix.host

    def refuse_evident(self, target: Endpoint) -> None:
        """Refuse a target that is the proxy itself, unless only the name service could say so.

        Raises:
            TargetIsProxyError: It is.
        """
        if is_unix(target.host) or is_address(target.host) or target.host.lower() == "localhost":
            with contextlib.suppress(UnreachableError):  # its interface isn't there, or not yet
                self.leave_out(target, look_up_addresses(target, socket.AF_UNSPEC, 0.0))

    def leave_out(self, target: Endpoint, addresses: Addresses) -> Addresses:
        """Return the addresses of a target at which the proxy itself doesn't listen.

        Raises:
            TargetIsProxyError: There is none.
        """
        others = [(family, address) for family, address in addresses if not self._is_at(family, address)]
        if not others:
            raise TargetIsProxyError(
                f"The target {target} is this proxy itself: each connection would lead to a further one. Choose "
                "another port, or another target."
            )
        return others

    def _is_at(self, family: socket.AddressFamily, address: Any) -> bool:
        if family == socket.AF_UNIX:
            return self._unix is not None and _is_same(self._unix, address)
        if address[1] != self._port or not self._hosts:
            return False
        host = extract_host((_LOOPBACK.get(address[0], address[0]), 0))
        if host in self._hosts:
            return True
        reaches_all = "::" in self._hosts or (":" not in host and _EVERY_IPV4_INTERFACE in self._hosts)
        return reaches_all and _is_own(family, address)


def _is_same(place: str, address: str) -> bool:
    """Return whether the place of a Unix socket and an address are the same, also by way of a link."""
    own = find_unix_address(place)
    if own == address or is_abstract(place) or address.startswith("\0"):
        return own == address
    try:
        return os.path.samefile(own, address)  # noqa: PTH121  a Path has no use here
    except OSError:
        return False


def _is_own(family: socket.AddressFamily, address: Any) -> bool:
    """Return whether an address is one of this machine: only such a one can be bound."""
    host, _, *rest = address
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0, *rest))
    except OSError:
        return False
    return True
