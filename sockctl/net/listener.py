"""Opens the listening sockets of a server: on one address or several, on the wanted port or the next free one.

A server on loopback listens on both loopback addresses, if this machine has both. A client of ``localhost`` may connect
to either one: another user of this machine could listen on a free one, and receive the messages for the server.
"""

import contextlib
import dataclasses
import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from sockctl.errors import ListenError, PortTakenError
from sockctl.net.address import MAX_PORT, format_address
from sockctl.net.port_owner import find_owner
from sockctl.net.unix_socket import MODE, UnixListener, open_unix_listener
from sockctl.os_limits import limit_backlog

_Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family and its socket address, as getaddrinfo gives them."""
_LOOPBACK: tuple[_Address, ...] = ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0, 0, 0)))
"""The addresses of ``localhost`` (RFC 6761, section 6.3)."""
_EVERY_INTERFACE: _Address = (socket.AF_INET6, ("::", 0, 0, 0))
_EVERY_IPV4_INTERFACE: _Address = (socket.AF_INET, ("0.0.0.0", 0))  # noqa: S104  what --host '' asks for


BACKLOG = 4096
"""Connections that may wait to be accepted: Linux's usual bound (net.core.somaxconn); 5 loses bursts."""
_TRIES_FOR_ANY_PORT = 20
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""The errors of bind() and socket() if this machine has no such address, or no IPv6 at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOptions:
    """The socket options of every connection. Accepted sockets inherit them from the listening one.

    Attributes:
        keepalive_s: Seconds of silence after which the kernel probes whether the client is still there.
        vanish_timeout_s: Seconds without an answer (to data, or to probes) after which the kernel gives the client up
            (TCP_USER_TIMEOUT, RFC 5482). It also gives up a client that answers but reads nothing for so long.
    """

    keepalive_s: int = 60
    vanish_timeout_s: int = 300

    def apply(self, listener: socket.socket) -> None:
        """Set the options on a listening socket."""
        probes = 5
        interval_s = max(1, (self.vanish_timeout_s - self.keepalive_s) // probes)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", self.keepalive_s),
            ("TCP_KEEPALIVE", self.keepalive_s),  # what macOS calls it
            ("TCP_KEEPINTVL", interval_s),
            ("TCP_KEEPCNT", probes),
            ("TCP_USER_TIMEOUT", self.vanish_timeout_s * 1000),
        ):
            if hasattr(socket, name):
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def apply_to(self, fd: int) -> None:
        """Set the options on the connection with descriptor `fd`; a closed one, or none of TCP, stays as it is."""
        with contextlib.suppress(OSError), socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as same:
            self.apply(same)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listening sockets that share one port, and perhaps a Unix socket.

    Attributes:
        sockets: At least one, non-blocking.
        port: The port that they listen on; 0 where there is a Unix socket alone.
        wanted_port: The port that the user wanted; it differs from `port` if another program has it.
        backlog: How many connections may wait to be accepted: as many as were wanted, if the kernel allows that.
        unix: The Unix socket, which is one of `sockets`; None for none.
    """

    sockets: tuple[socket.socket, ...]
    port: int
    wanted_port: int
    backlog: int
    unix: UnixListener | None = None

    @property
    def hosts(self) -> list[str]:
        """The address of each socket of TCP."""
        unix = None if self.unix is None else self.unix.sock
        return [listener.getsockname()[0] for listener in self.sockets if listener is not unix]

    def close(self) -> None:
        """Close all of them; the kernel turns away the clients in the backlog. A second call does nothing."""
        if self.unix is not None:
            self.unix.close()
        for listener in self.sockets:
            listener.close()

    def join(self, unix: UnixListener) -> Self:
        """Return these listeners with a Unix socket beside them."""
        return dataclasses.replace(self, sockets=(*self.sockets, unix.sock), unix=unix)


def open_listeners(
    host: str,
    port: int,
    *,
    strict_port: bool = False,
    highest_port: int = MAX_PORT,
    backlog: int = BACKLOG,
    options: SocketOptions | None = None,
    option: str = "--port",
    datagrams: bool = False,
) -> Listeners:
    """Listen on every address of `host`; on both loopback addresses if it is one of them.

    Args:
        host: A name or an address; ``::`` means IPv6 and IPv4, ``''`` every interface of this machine.
        port: The port; 0 means any free one.
        strict_port: Whether to fail if the port is taken; otherwise try the next one.
        highest_port: The last port to try.
        backlog: How many connections may wait to be accepted.
        options: The options of connections.
        option: The option by which the user chooses the port, for advice.
        datagrams: Whether to receive datagrams of UDP. Then ``''`` and ``::`` are two sockets, one for IPv4 and one
            for IPv6; `backlog` and `options` mean nothing.

    Raises:
        PortTakenError: The port is taken and `strict_port` is set, or no port above it is free, or none at all.
        ListenError: The host is unknown, not one of this machine's, or the port needs more rights.
    """
    addresses = _find_addresses(host)
    if datagrams and any(one == _EVERY_INTERFACE for one in addresses):
        addresses = [_EVERY_INTERFACE, _EVERY_IPV4_INTERFACE]
    for candidate in _list_ports(port, port if strict_port else highest_port):
        try:
            if datagrams:
                sockets = _bind_all(addresses, candidate, socket.SOCK_DGRAM)
            else:
                sockets = _listen(addresses, candidate, backlog, options or SocketOptions())
        except _TakenError as error:
            if strict_port and port:
                owner = find_owner(error.host, error.port, datagrams=datagrams)
                raise PortTakenError(_explain_taken(error, option, owner, alone=len(addresses) == 1)) from error
            continue
        except OSError as error:
            raise ListenError(_explain(host, candidate, option, error)) from error
        taken_port: int = sockets[0].getsockname()[1]
        return Listeners(sockets, taken_port, port, 0 if datagrams else limit_backlog(backlog))
    raise PortTakenError(
        f"No port from {port} to {highest_port} is free. Choose a lower {option}, or {option} 0 for any."
    )


def open_unix(
    host: str, *, mode: int | None = None, backlog: int = BACKLOG, beside: Listeners | None = None
) -> Listeners:
    """Listen on a Unix socket.

    Args:
        host: Its place, as `sockctl.net.address.parse_unix` returns it.
        mode: The mode of its file; None for `MODE`.
        backlog: How many connections may wait to be accepted.
        beside: Listeners that the socket joins, and that are closed if it fails; None for the Unix socket alone.

    Raises:
        ListenError: The server can't listen there.
    """
    others = beside or Listeners((), 0, 0, limit_backlog(backlog))
    try:
        return others.join(open_unix_listener(host, mode=MODE if mode is None else mode, backlog=backlog))
    except ListenError:
        others.close()
        raise


def list_addresses(host: str) -> list[str]:
    """Return the addresses that `open_listeners` would listen on for `host`.

    Raises:
        ListenError: The host is unknown.
    """
    return [str(address[0]) for _, address in _find_addresses(host)]


def _list_ports(port: int, highest: int) -> Iterator[int]:
    if port == 0:
        yield from [0] * _TRIES_FOR_ANY_PORT  # a port may be free on one address, and taken on another
    else:
        yield from range(port, highest + 1)


def _find_addresses(host: str) -> list[_Address]:
    if host == "":
        return [_EVERY_INTERFACE if socket.has_dualstack_ipv6() else _EVERY_IPV4_INTERFACE]
    if "." in host:
        host = host.removeprefix("::ffff:")  # an IPv4-mapped address can't be bound where IPv4 is off
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ListenError(
            f"The host {host!r} is not known: {_describe_error(error)}. Name an address of this machine, "
            f"such as 127.0.0.1, or '' for every interface."
        ) from error
    addresses: list[_Address] = list(dict.fromkeys((family, tuple(address)) for family, _, _, _, address in found))
    if any(one in _LOOPBACK for one in addresses):
        addresses += [one for one in _LOOPBACK if one not in addresses]
    return addresses


def _listen(addresses: list[_Address], port: int, backlog: int, options: SocketOptions) -> tuple[socket.socket, ...]:
    """Listen on all `addresses` that this machine has, or on none."""

    def listen(listener: socket.socket) -> None:
        options.apply(listener)
        listener.listen(backlog)  # fails, too, if two sockets were bound before either listened

    return _bind_all(addresses, port, socket.SOCK_STREAM, listen)


def _bind_all(
    addresses: list[_Address],
    port: int,
    kind: socket.SocketKind,
    prepare: Callable[[socket.socket], None] = lambda _: None,
) -> tuple[socket.socket, ...]:
    """Bind a socket to each of `addresses` that this machine has, or to none."""
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        absent: OSError | None = None
        for family, (host, _, *rest) in addresses:
            try:
                listener = undo.enter_context(_bind(family, (host, port, *rest), kind))
                prepare(listener)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise _TakenError(host, port) from error
                if error.errno not in _ABSENT:
                    raise
                absent = error  # localhost may name ::1 while IPv6 is off: the other address is enough
                continue
            listener.setblocking(False)
            sockets.append(listener)
            port = listener.getsockname()[1]  # with port 0: the first one's choice holds for all
        if not sockets and absent is not None:
            raise absent
        undo.pop_all()
    return tuple(sockets)


def _bind(family: socket.AddressFamily, address: tuple[Any, ...], kind: socket.SocketKind) -> socket.socket:
    with contextlib.ExitStack() as undo:
        listener = undo.enter_context(socket.socket(family, kind))
        is_stream = kind == socket.SOCK_STREAM
        if is_stream:  # with it, two programs could bind one port of UDP
            # Connections in TIME_WAIT must not keep a restarted server from its port; a listening socket still does.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_stream or address[0] != "::")
        listener.bind(address)
        undo.pop_all()
    return listener


class _TakenError(Exception):
    """The port is taken on one address."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.host = host
        self.port = port


def _explain_taken(taken: _TakenError, option: str, owner: str, *, alone: bool) -> str:
    both = "" if alone else " The server needs all addresses of its host, since clients may take any of them."
    return (
        f"Port {taken.port} is taken on {taken.host} by {owner}.{both} Stop that one, or "
        f"choose another {option} (0 takes any free one)."
    )


def _explain(host: str, port: int, option: str, error: OSError) -> str:
    where = format_address(host, port)
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Listening on {where} is not permitted: ports below 1024 need more rights. Choose a higher {option}."
    if error.errno == errno.EINVAL and host.lower().startswith("fe80:") and "%" not in host:
        return f"Listening on {where} failed: a link-local address needs its interface, as in {host}%eth0."
    if error.errno in _ABSENT:
        return f"Listening on {where} failed: {host!r} is no address of this machine: name one of its own."
    return f"Listening on {where} failed: {_describe_error(error)}."


def _describe_error(error: OSError | UnicodeError) -> str:
    return getattr(error, "strerror", None) or str(error)
