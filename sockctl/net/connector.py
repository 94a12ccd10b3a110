"""Connects to a server: every address of its name in turn, within one deadline, and again with a growing pause."""

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sockctl.deadline import Deadline
from sockctl.errors import ConnectTimeoutError, SockctlError, SourceError, UnreachableError
from sockctl.events.base import Event
from sockctl.events.client import AddressFailed, Connected, Connecting, Retrying
from sockctl.net.address import Endpoint, format_address
from sockctl.net.transport import Transport

_SHORT = {
    errno.ECONNREFUSED: "connection refused, nothing listens on that port",
    errno.ENETUNREACH: "network unreachable",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ETIMEDOUT: "no answer",
}


class Pauses(NamedTuple):
    """How long a client waits before it tries again, in seconds: twice as long each time.

    Attributes:
        first_s: The first time.
        longest_s: At most.
    """

    first_s: float = 0.5
    longest_s: float = 10.0


PAUSES = Pauses()
Tell = Callable[[Event], None]
Secure = Callable[[socket.socket, float], Transport]


def connect(
    endpoint: Endpoint,
    *,
    tell: Tell,
    timeout_s: float,
    retries: int = 0,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    source: Endpoint | None = None,
    secure: Secure | None = None,
    pauses: Pauses = PAUSES,
) -> Transport:
    """Connect to `endpoint` and return the socket, blocking, with TCP_NODELAY set, or TLS over it.

    Args:
        endpoint: Where to connect; each address of the name is tried, in the order that the system gives (RFC 6724);
            ``localhost`` is ``::1``, then ``127.0.0.1``.
        tell: Takes the events.
        timeout_s: Seconds for one round: to look the name up, and over all addresses; each address gets an equal share
            of what is left.
        retries: How many further rounds there are, with a pause before each.
        family: Restricts the addresses to IPv4 or IPv6.
        source: The own address to connect from, of that family, and its port (0: any).
        secure: Makes TLS of the connected socket, within so many seconds, and sees whether the server is to be trusted;
            what it raises ends the connecting. The connection is emitted when that is done.
        pauses: How long they are.

    Raises:
        UnreachableError: The name is unknown, or each address refused or can't be reached.
        ConnectTimeoutError: An address, or the name service, did not answer in time.
        SourceError: The own address is none of this machine's, or its port is taken.
    """
    pause_s = pauses.first_s
    for left in range(retries, 0, -1):
        try:
            return _connect_once(endpoint, family, tell, timeout_s, source=source, secure=secure)
        except SockctlError as error:
            tell(Retrying(error=str(error), seconds=pause_s, left=left))
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, pauses.longest_s)
    try:
        return _connect_once(endpoint, family, tell, timeout_s, source=source, secure=secure)
    except SockctlError as error:
        if not retries:
            raise
        raise type(error)(f"{error} Tried {retries + 1} times.") from error


def addresses_of(endpoint: Endpoint, timeout_s: float) -> list[Endpoint]:
    """Return the addresses that `connect` tries for `endpoint`, in its order; wait `timeout_s` seconds at most.

    Raises:
        UnreachableError: The name is unknown.
    """
    return [Endpoint(address[0], endpoint.port) for _, address in _addresses_of(endpoint, socket.AF_UNSPEC, timeout_s)]


def _connect_once(
    endpoint: Endpoint,
    family: socket.AddressFamily,
    tell: Tell,
    timeout_s: float,
    *,
    source: Endpoint | None,
    secure: Secure | None,
) -> Transport:
    deadline = Deadline.after(timeout_s)
    addresses = _addresses_of(endpoint, family, timeout_s)
    failures: list[str] = []
    timed_out = False
    for number, (own_family, address) in enumerate(addresses):
        peer = format_address(address[0], address[1])
        share_s = deadline.left_s / (len(addresses) - number)
        tell(Connecting(peer=peer))
        try:
            sock = _open(own_family, address, share_s, source)
        except OSError as error:
            slow = isinstance(error, TimeoutError)
            timed_out = timed_out or slow
            why = f"no answer in {share_s:.1f} s" if slow else _SHORT.get(error.errno or 0, str(error.strerror))
            failures.append(why if peer == str(endpoint) else f"{peer}: {why}")
            tell(AddressFailed(peer=peer, error=why))
            continue
        local = format_address(*sock.getsockname()[:2])
        tell(Connected(peer=peer, local=local))
        return sock if secure is None else secure(sock, max(0.001, deadline.left_s))
    reasons = "; ".join(failures)
    if timed_out:
        raise ConnectTimeoutError(
            f"{endpoint} did not answer: {reasons}. Is the address right, does a firewall drop it?"
        )
    raise UnreachableError(f"Can't connect to {endpoint}: {reasons}. Is the server running, is the port right?")


def _addresses_of(
    endpoint: Endpoint, family: socket.AddressFamily, timeout_s: float
) -> list[tuple[socket.AddressFamily, Any]]:
    if endpoint.host.lower() == "localhost":
        # Loopback, whatever the name service says of it (RFC 6761, section 6.3): some systems name one address only.
        both = [(socket.AF_INET6, ("::1", endpoint.port)), (socket.AF_INET, ("127.0.0.1", endpoint.port))]
        return [(own_family, address) for own_family, address in both if family in (socket.AF_UNSPEC, own_family)]
    try:
        found = _look_up(endpoint, family, timeout_s)
    except (OSError, UnicodeError) as error:
        kind = {socket.AF_INET: "IPv4 address", socket.AF_INET6: "IPv6 address"}.get(family, "address")
        why = getattr(error, "strerror", None) or str(error)
        raise UnreachableError(f"No {kind} of {endpoint.host!r} can be found: {why}. Is it spelled right?") from error
    return [(own_family, address) for own_family, _, _, _, address in found]


def _look_up(endpoint: Endpoint, family: socket.AddressFamily, timeout_s: float) -> list[tuple[Any, ...]]:
    """Return what getaddrinfo finds.

    It knows no deadline, and no signal interrupts it: so a thread of its own calls it, which is left alone if need be.
    """
    with contextlib.suppress(OSError):  # an address asks nobody
        return socket.getaddrinfo(endpoint.host, endpoint.port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    found: list[tuple[Any, ...]] = []
    failure: list[OSError | UnicodeError] = []
    done = threading.Event()

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(endpoint.host, endpoint.port, family, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failure.append(error)
        done.set()

    threading.Thread(target=ask, name="sockctl-resolver", daemon=True).start()
    if not done.wait(min(timeout_s, threading.TIMEOUT_MAX)):
        raise ConnectTimeoutError(
            f"The name service did not answer in {timeout_s:g} s for {endpoint.host!r}. Is this machine's network up? "
            f"An address in place of the name needs no name service."
        )
    if failure:
        raise failure[0]
    return found


def _open(family: socket.AddressFamily, address: Any, timeout_s: float, source: Endpoint | None) -> socket.socket:
    with contextlib.ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        if source is not None:
            _bind(sock, source)
        sock.settimeout(max(timeout_s, 0.001))
        sock.connect(address)
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        undo.pop_all()
    return sock


def _bind(sock: socket.socket, source: Endpoint) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the port may still rest from the connection before
    try:
        sock.bind((source.host, source.port))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            f"The connection can't begin at {source if source.port else source.host}: {why}. Is it an address of this "
            f"machine, is the port free?"
        ) from error
