"""Hosts, ports, Unix sockets and targets, in the forms of users and of sockets.

A Unix socket stands in the place of a host, as ``unix:/path`` or ``unix:@name``, with port 0.
"""

import ipaddress
import os
import socket
import sys
from dataclasses import dataclass

from sockctl.errors import AddressError
from sockctl.local_user import describe_user, parse_user_host
from sockctl.net.schemes import SCHEMES, explain_scheme
from sockctl.text import is_whole_number

MAX_PORT = 65_535
MAX_LABEL = 63
"""Characters in one part of a host name, RFC 1035 section 2.3.4."""
MAX_HOST_NAME = 253
"""Characters in a host name, RFC 1035 section 2.3.4 less the length octets."""
UNIX = "unix:"
"""In front of the path of a Unix socket."""
_PATH_STARTS = ("/", "./", "../", "~/")
"""With what a path may begin, and no host does."""
_IPV6_CHARACTERS = frozenset("0123456789abcdefABCDEF:.")
"""The characters of an IPv6 address, without a zone: RFC 4291, section 2.2."""
MAX_UNIX_BYTES = 107 if sys.platform == "linux" else 103
"""Bytes of a path in a Unix socket's address: sun_path less its end (unix(7))."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host (name or address) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return format_address(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Target:
    """A place to connect to, as the user typed it; a missing part is None.

    Attributes:
        resource: The path and the query of a WebSocket's address, as a request has them.
    """

    host: str | None
    port: int | None
    scheme: str | None = None
    resource: str | None = None


def format_address(host: str, port: int) -> str:
    """Return ``HOST:PORT``, an IPv6 address in brackets (RFC 3986, section 3.2.2).

    A Unix socket is its place alone, and a client that came to one is ``uid 1000 (ann), pid 42``.
    """
    if ":" not in host:
        return f"{host}:{port}"
    if host.startswith(UNIX):
        return host
    if (uid := parse_user_host(host)) is not None:
        return f"{describe_user(uid)}, pid {port}"
    return f"[{host}]:{port}"


def is_unix(host: str) -> bool:
    """Return whether a host is the place of a Unix socket."""
    return host.startswith(UNIX)


def is_abstract(host: str) -> bool:
    """Return whether a host is the abstract name of a Unix socket, which no file has."""
    return host.startswith(f"{UNIX}@")


def find_unix_address(host: str) -> str:
    """Return the address of a Unix socket, as the system takes it: its path, or a zero byte and its abstract name."""
    place = host.removeprefix(UNIX)
    return f"\0{place[1:]}" if place.startswith("@") else place


def format_unix(address: str | bytes) -> str:
    """Return the host of a Unix socket that has this address, as getsockname() returns it."""
    return UNIX + (address if isinstance(address, str) else f"@{os.fsdecode(address[1:])}")


def parse_unix(place: str) -> str:
    """Return the host of a Unix socket whose path, or ``@`` and abstract name, a user has given.

    The path becomes an absolute one, so that it means one socket from any folder.

    Raises:
        AddressError: It is empty or too long, or this system has no abstract names.
    """
    if place in {"", "@"}:
        raise AddressError("The path of the Unix socket is empty: write unix:/path/to/socket, or unix:@name.")
    if place.startswith("@"):
        if sys.platform != "linux":
            raise AddressError(f"{place!r} is an abstract name, which Linux alone has: give a path.")
        path, kind = place, "abstract name"
    else:
        path, kind = os.path.abspath(os.path.expanduser(place)), "path"  # noqa: PTH100, PTH111  no start loads pathlib
    size = len(os.fsencode(path))
    if size > MAX_UNIX_BYTES:
        raise AddressError(
            f"The {kind} is too long: {path!r} has {size} bytes, and the address of a Unix socket has room for "
            f"{MAX_UNIX_BYTES} (sun_path). Choose a shorter one, such as one in /tmp or $XDG_RUNTIME_DIR."
        )
    return f"{UNIX}{path}"


def extract_host(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """Return the host of a socket address; an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) is the IPv4 one."""
    return address[0].removeprefix("::ffff:") if "." in address[0] else address[0]


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, and no name that may lead to several."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(address: str) -> bool:
    """Return whether a text is an IP address of loopback (RFC 6890).

    That is 127.0.0.0/8, these mapped into IPv6, and ``::1``.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def parse_port(text: str, *, any_free: bool = False) -> int:
    """Return the port that `text` names.

    Args:
        text: The user's text.
        any_free: Whether 0 is allowed, for any free port.

    Raises:
        AddressError: The text is neither the number of a port nor the name of a service.
    """
    lowest = 0 if any_free else 1
    port = int(text) if is_whole_number(text) else _find_service(text)
    if not lowest <= port <= MAX_PORT:
        raise AddressError(
            f"{text[:80]!r} is not a port: a port is a whole number from {lowest} to {MAX_PORT}, such as 9090, or the "
            f"name of a service, such as http."
        )
    return port


def _find_service(name: str) -> int:
    """Return the TCP port of a service by its name in /etc/services; -1 if there is none."""
    try:
        return socket.getservbyname(name, "tcp")
    except (OSError, UnicodeError, ValueError):  # unknown, no name at all, or one with a zero byte
        return -1


def parse_host(text: str) -> str:
    """Return the host that `text` names: a name, an IPv4 or an IPv6 address, without brackets.

    Raises:
        AddressError: The text is no host. The function doesn't look up whether a name exists.
    """
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not host:
        raise AddressError("The host is empty: give a name such as localhost, or an address such as 127.0.0.1.")
    if is_whole_number(host):
        raise AddressError(f"{text!r} looks like a port, not a host: write HOST:PORT, such as localhost:{host}.")
    if host.count(":") == 1 or "://" in host:
        raise AddressError(f"{text!r} is not a host: give the name or address alone, without scheme and port.")
    if ":" in host:
        _check_ipv6(host, text)
    elif (
        len(host) > MAX_HOST_NAME
        or not all(c.isalnum() or c in "-._" for c in host)
        or not all(0 < len(label) <= MAX_LABEL for label in host.removesuffix(".").split("."))
    ):
        raise AddressError(
            f"{text[:80]!r} is not a host: a name holds letters, digits, dots and hyphens, such as server.example."
        )
    return host


def parse_target(target: str | None, port: str | None = None) -> Target:
    """Return the target of ``HOST:PORT``, ``HOST PORT``, ``SCHEME://HOST:PORT``, ``HOST`` or nothing.

    ``unix:PATH`` and ``unix:@NAME`` stand in the place of ``HOST:PORT``. An IPv6 address stands in brackets if
    ``:PORT`` follows it.

    Raises:
        AddressError: The text is no target, or has a second port.
    """
    if target is None:
        return Target(None, None if port is None else parse_port(port))
    scheme, separator, rest = target.partition("://")
    if not separator:
        scheme, rest = "", target
    elif scheme not in SCHEMES:
        raise AddressError(explain_scheme(target, scheme))
    if (place := _find_unix_place(rest)) is not None:
        if port is not None:
            raise AddressError(f"{target!r} is a Unix socket, which has no port: leave {port!r} out.")
        return Target(parse_unix(place), 0, scheme or None)
    host, own_port = split_port(rest.removesuffix("/") if scheme else rest)
    if port is not None and own_port is not None:
        raise AddressError(f"The port is given twice, in {target!r} and as {port!r}: leave one out.")
    chosen = own_port if port is None else port
    return Target(parse_host(host) if host else None, None if chosen is None else parse_port(chosen), scheme or None)


def parse_targets(text: str, port: str | None = None) -> list[Target]:
    """Return the targets of ``HOST:PORT,HOST:PORT`` or ``SCHEME://HOST:PORT,HOST:PORT``, in their order.

    The scheme is that of the first. All targets have it, so that none is reached with less protection than another.

    Args:
        text: The targets.
        port: The port of those that name none.

    Raises:
        AddressError: One is empty, is no target, has another scheme, or has a second port.
    """
    if "," not in text:
        return [parse_target(text, port)]
    pieces = [piece.strip() for piece in text.split(",")]
    first, separator, _ = pieces[0].partition("://")
    scheme = first + separator if separator else ""
    targets: list[Target] = []
    for piece in pieces:
        own = piece.removeprefix(scheme)
        if not own:
            raise AddressError(f"{text!r} names an empty target: write HOST:PORT,HOST:PORT.")
        if "://" in own:
            raise AddressError(f"{text!r} has several schemes: all targets of a chat have one, that of the first.")
        if (target := parse_target(scheme + own, port)) not in targets:
            targets.append(target)
    return targets


def parse_source(text: str) -> Endpoint:
    """Return the own address that ``ADDRESS`` or ``ADDRESS:PORT`` names; port 0 stands for any.

    Raises:
        AddressError: The address is no IP address, or the port is wrong.
    """
    host, port = split_port(text)
    address = parse_host(host)
    if not is_address(address.partition("%")[0]):
        raise AddressError(f"{text!r} is not an own address: give an IP address of this machine, such as 127.0.0.1.")
    return Endpoint(address, 0 if port is None else parse_port(port, any_free=True))


def _find_unix_place(text: str) -> str | None:
    """Return what stands behind ``unix:``; None for a host, which may be called unix and have a port."""
    place = text.removeprefix(UNIX)
    return None if place == text or is_whole_number(place) else place


def split_port(text: str) -> tuple[str, str | None]:
    """Split off the port, if there is one. ``::1`` has none, ``[::1]:9090`` and ``localhost:9090`` have one.

    Raises:
        AddressError: The text is no address with a port, or the path of a Unix socket.
    """
    path = text.rpartition(":")[2]  # socat's form is UNIX-CONNECT:PATH
    if path.startswith(_PATH_STARTS) or path.endswith(".sock"):
        raise AddressError(f"{text!r} looks like a Unix socket, not a host: write {UNIX}{path}")
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressError(f"{text!r} is not an address: an IPv6 address with a port is written [::1]:9090.")
        return host + bracket, rest[1:] or None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port or None
    return text, None


def _check_ipv6(host: str, text: str) -> None:
    address = host.partition("%")[0]
    if not all(c in _IPV6_CHARACTERS for c in address):  # TCP:localhost:9090 is what socat takes
        raise AddressError(f"{text[:80]!r} is not an address: write HOST:PORT, or tls://HOST:PORT for TLS.")
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except OSError as error:
        raise AddressError(f"{text!r} is not an IPv6 address; with a port it is written [::1]:9090.") from error
