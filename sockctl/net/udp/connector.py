"""Opens the client's end for datagrams: no packet goes out for that."""

import contextlib
import socket
from collections.abc import Callable

from sockctl.errors import SourceError, UnreachableError
from sockctl.events.base import Event
from sockctl.events.client_udp import DatagramsOpened
from sockctl.net.address import Endpoint, format_address
from sockctl.net.connector import look_up_addresses
from sockctl.net.udp.transport import DatagramTransport


def open_datagrams(
    endpoint: Endpoint,
    *,
    tell: Callable[[Event], None],
    timeout_s: float,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    source: Endpoint | None = None,
) -> DatagramTransport:
    """Return a socket whose other end is the first address of an endpoint that this machine has a way to.

    Args:
        endpoint: The server.
        tell: Takes the events.
        timeout_s: Seconds for the look-up of the name.
        family: Restricts the addresses to IPv4 or IPv6.
        source: The own address to send from, of that family, and its port (0: any).

    Raises:
        UnreachableError: The name is unknown, or there is no way to any address.
        ConnectTimeoutError: The name service did not answer in time.
        SourceError: The own address is none of this machine's, or its port is taken.
    """
    failures: list[str] = []
    for own_family, address in look_up_addresses(endpoint, family, timeout_s):
        peer = format_address(address[0], address[1])
        with contextlib.ExitStack() as undo:
            sock = undo.enter_context(socket.socket(own_family, socket.SOCK_DGRAM))
            if source is not None:
                _bind(sock, source)
            try:
                sock.connect(address)
            except OSError as error:
                failures.append(f"{peer}: {error.strerror}")
                continue
            undo.pop_all()
            tell(DatagramsOpened(peer=peer, local=format_address(*sock.getsockname()[:2])))
            return DatagramTransport(sock)
    raise UnreachableError(f"No datagram can go to {endpoint}: {'; '.join(failures)}. Is the address right?")


def _bind(sock: socket.socket, source: Endpoint) -> None:
    try:
        sock.bind((source.host, source.port))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            f"Datagrams can't go out from {source if source.port else source.host}: {why}. Is it an address of this "
            f"machine, is the port free?"
        ) from error
