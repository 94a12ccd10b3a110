"""Connects to a server: tries each address of its name within one deadline, and again after growing pauses."""

import contextlib
import errno
import functools
import os
import select
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from sockctl.deadline import Deadline
from sockctl.errors import (
    NO_DESCRIPTOR,
    RAISE_DESCRIPTORS,
    ConnectTimeoutError,
    SockctlError,
    SourceError,
    UnreachableError,
)
from sockctl.events.base import Event
from sockctl.events.client import AddressFailed, Connected, Connecting, Retrying
from sockctl.local_user import UID
from sockctl.net.address import Endpoint, find_unix_address, format_address, is_unix
from sockctl.net.name_lookups import NameLookUps
from sockctl.net.transport import Transport
from sockctl.net.unix_connection import SHORT, connect_unix
from sockctl.net.wait import Wait, wait_for
from sockctl.text import join_lines

SHORT_OF_IP = {
    errno.ECONNREFUSED: "connection refused, nothing listens on that port",
    errno.ENETUNREACH: "network unreachable",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ETIMEDOUT: "no answer",
}


class Pauses(NamedTuple):
    """The pauses between a client's rounds, in seconds; each is twice as long as the last one.

    Attributes:
        first_s: The first pause.
        longest_s: The longest pause.
    """

    first_s: float = 0.5
    longest_s: float = 10.0


PAUSES = Pauses()
Tell = Callable[[Event], None]
Secure = Callable[[socket.socket, float], Transport]
Addresses = list[tuple[socket.AddressFamily, Any]]
"""Addresses of sockets, each with its family."""


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
    addresses: Addresses | None = None,
    wait: Wait = wait_for,
) -> Transport:
    """Connect to `endpoint` and return the socket, blocking, with TCP_NODELAY set, or TLS over it.

    Args:
        endpoint: The server. A round tries each address of its name, in the order of the system (RFC 6724);
            ``localhost`` is ``::1``, then ``127.0.0.1``.
        tell: Takes the events.
        timeout_s: Seconds for one round: for the look-up of the name, and all addresses. Each address gets an equal
            share of the rest.
        retries: The number of further rounds, with a pause before each.
        family: Restricts the addresses to IPv4 or IPv6.
        source: The own address to connect from, of that family, and its port (0: any).
        secure: Returns TLS over the connected socket, within a number of seconds, once it trusts the server. Its errors
            pass.
        pauses: The pauses between rounds.
        addresses: Those of the endpoint, where the caller has looked them up.
        wait: Waits for the name service, for each address, and in pauses; errors of its own end the attempt, and pass.

    Raises:
        UnreachableError: The name is unknown, or each address refused or can't be reached.
        ConnectTimeoutError: An address, or the name service, did not answer in time.
        SourceError: The own address is none of this machine's, or its port is taken.
    """
    attempt = functools.partial(
        _connect_once, endpoint, family, tell, timeout_s, source=source, secure=secure, addresses=addresses, wait=wait
    )
    return try_again(attempt, tell=tell, retries=retries, pauses=pauses, wait=wait)


def try_again(
    attempt: Callable[[], Transport], *, tell: Tell, retries: int, pauses: Pauses = PAUSES, wait: Wait = wait_for
) -> Transport:
    """Return the connection that `attempt` makes, after further rounds and pauses if need be.

    Args:
        attempt: Makes one round.
        tell: Takes the events.
        retries: The number of further rounds, with a pause before each.
        pauses: The pauses.
        wait: As in `connect`, for the pauses.

    Raises:
        SockctlError: The error of the last round.
    """
    pause_s = pauses.first_s
    for left in range(retries, 0, -1):
        try:
            return attempt()
        except SockctlError as error:
            tell(Retrying(error=join_lines(str(error)), seconds=pause_s, left=left))
        with contextlib.suppress(TimeoutError):
            wait(None, 0, pause_s)
        pause_s = min(pause_s * 2, pauses.longest_s)
    try:
        return attempt()
    except SockctlError as error:
        if not retries:
            raise
        raise type(error)(f"{error} Tried {retries + 1} times.") from error


def find_addresses(endpoint: Endpoint, timeout_s: float) -> list[Endpoint]:
    """Return the addresses that `connect` tries for `endpoint`, in its order; wait `timeout_s` seconds at most.

    Raises:
        UnreachableError: The name is unknown.
    """
    if is_unix(endpoint.host):
        return [endpoint]
    found = look_up_addresses(endpoint, socket.AF_UNSPEC, timeout_s)
    return [Endpoint(address[0], endpoint.port) for _, address in found]


def look_up_addresses(
    endpoint: Endpoint,
    family: socket.AddressFamily,
    timeout_s: float,
    wait: Wait = wait_for,
    look_ups: NameLookUps | None = None,
) -> Addresses:
    """Return the addresses of `endpoint` as sockets have them, in the order in which `connect` tries them.

    Args:
        endpoint: The server.
        family: As in `connect`.
        timeout_s: Seconds for the look-up.
        wait: As in `connect`.
        look_ups: Those that other callers share; None for an own one.

    Raises:
        UnreachableError: The name is unknown.
        ConnectTimeoutError: The name service did not answer in time.
    """
    if is_unix(endpoint.host):
        return [(socket.AF_UNIX, find_unix_address(endpoint.host))]
    if endpoint.host.lower() == "localhost":
        # Loopback, whatever the name service says of it (RFC 6761, section 6.3): some systems name one address only.
        both = [(socket.AF_INET6, ("::1", endpoint.port)), (socket.AF_INET, ("127.0.0.1", endpoint.port))]
        return [(own_family, address) for own_family, address in both if family in (socket.AF_UNSPEC, own_family)]
    try:
        found = (look_ups or NameLookUps()).find(endpoint, family, timeout_s, wait)
    except (OSError, UnicodeError) as error:
        kind = {socket.AF_INET: "IPv4 address", socket.AF_INET6: "IPv6 address"}.get(family, "address")
        why = getattr(error, "strerror", None) or str(error)
        raise UnreachableError(f"No {kind} of {endpoint.host!r} can be found: {why}. Is it spelled right?") from error
    return [(own_family, address) for own_family, _, _, _, address in found]


def _connect_once(
    endpoint: Endpoint,
    family: socket.AddressFamily,
    tell: Tell,
    timeout_s: float,
    *,
    source: Endpoint | None,
    secure: Secure | None,
    addresses: Addresses | None,
    wait: Wait,
) -> Transport:
    deadline = Deadline.after(timeout_s)
    addresses = look_up_addresses(endpoint, family, timeout_s, wait) if addresses is None else addresses
    failures: list[str] = []
    timed_out, advice = False, ""
    for number, (own_family, address) in enumerate(addresses):
        peer = str(endpoint) if own_family == socket.AF_UNIX else format_address(address[0], address[1])
        share_s = deadline.left_s / (len(addresses) - number)
        tell(Connecting(peer=peer))
        try:
            sock = _open(own_family, address, share_s, source, wait)
        except OSError as error:
            slow = isinstance(error, TimeoutError)
            timed_out = timed_out or slow
            why = f"no answer in {share_s:.1f} s" if slow else _explain(own_family, error)
            failures.append(why if peer == str(endpoint) else f"{peer}: {why}")
            advice = _advise(own_family, address, error)
            tell(AddressFailed(peer=peer, error=why))
            continue
        with contextlib.ExitStack() as undo:
            undo.callback(sock.close)
            tell(Connected(peer=peer, local=_describe_own_end(sock)))
            transport = sock if secure is None else secure(sock, max(0.001, deadline.left_s))
            undo.pop_all()
        return transport
    reasons = "; ".join(failures)
    if timed_out:
        unix = is_unix(endpoint.host)
        why = "Its backlog is full." if unix else "Is the address right, does a firewall drop it?"
        raise ConnectTimeoutError(f"{endpoint} did not answer: {reasons}. {why}")
    raise UnreachableError(f"Can't connect to {endpoint}: {reasons}. {advice}")


def _advise(family: socket.AddressFamily, address: Any, error: OSError) -> str:
    """Return what the user may do next, where an address has failed."""
    if error.errno in NO_DESCRIPTOR:
        return RAISE_DESCRIPTORS
    if family == socket.AF_INET6 and error.errno == errno.EINVAL and address[0].startswith("fe80:"):
        return f"A link-local address needs its interface, as in {address[0]}%eth0."
    return f"Is the server running, is the {'path' if family == socket.AF_UNIX else 'port'} right?"


def _explain(family: socket.AddressFamily, error: OSError) -> str:
    if family == socket.AF_UNIX:
        return SHORT.get(error.errno or 0, str(error.strerror))
    return SHORT_OF_IP.get(error.errno or 0, str(error.strerror))


def _describe_own_end(sock: socket.socket) -> str:
    """Return the address that the system gave this side; at a Unix socket, this user and process."""
    if sock.family == socket.AF_UNIX:
        return format_address(f"{UID}{os.geteuid()}", os.getpid())
    return format_address(*sock.getsockname()[:2])


def _open(
    family: socket.AddressFamily, address: Any, timeout_s: float, source: Endpoint | None, wait: Wait
) -> socket.socket:
    with contextlib.ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        if source is not None:
            _bind(sock, source)
        if family == socket.AF_UNIX:
            connect_unix(sock, address, timeout_s, wait)
        else:
            _connect_ip(sock, address, timeout_s, wait)
        undo.pop_all()
    return sock


def _connect_ip(sock: socket.socket, address: Any, timeout_s: float, wait: Wait) -> None:
    sock.setblocking(False)
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        wait(sock.fileno(), select.POLLOUT, timeout_s)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    sock.setblocking(True)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _bind(sock: socket.socket, source: Endpoint) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the port may be in TIME_WAIT
    try:
        sock.bind((source.host, source.port))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            f"The connection can't begin at {source if source.port else source.host}: {why}. Is it an address of this "
            f"machine, is the port free?"
        ) from error
