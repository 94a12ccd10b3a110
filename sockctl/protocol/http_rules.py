"""Which requests of a browser a server on a private port answers: rules for the headers Host and Origin.

A page of anybody's may send requests to a server on loopback, and read the answers if the page's name leads there: then
the browser sees one origin ("DNS rebinding"). Such a request has the page's name as its Host. So a server answers only
to IP addresses, `localhost`, and names that its user has given. An origin equal to the Host proves nothing.
"""

import ipaddress
import re
from collections.abc import Collection
from typing import NamedTuple

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[0-9a-z](?:[0-9a-z.-]{0,252}))(?::([0-9]{1,5}))?", re.IGNORECASE)
_METHOD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(
    rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) /|" + _METHOD + rb" \S+ HTTP/1\.[01]\r?\n"
)
_BEGINNING = re.compile(_METHOD + rb"(?: \S*(?: ([^ ]*))?)?")
_VERSIONS = tuple(f"HTTP/1.{minor}{end}".encode() for minor in (0, 1) for end in ("\r\n", "\n"))
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_request(first: bytes) -> bool:
    """Return whether the first bytes of a client begin an HTTP request, as a browser sends it (RFC 9112, section 3)."""
    return _REQUEST.match(first) is not None


def may_become_request(first: bytes) -> bool:
    """Return whether further bytes could make an HTTP request of a client's first bytes, which are none yet."""
    match = _BEGINNING.fullmatch(first)
    return match is not None and any(version.startswith(match[1] or b"") for version in _VERSIONS)


def make_refusal(said: str) -> bytes:
    """Return the HTTP response of a server that speaks no HTTP, with a sentence for people as its body."""
    body = f"{said}\n".encode()
    head = (
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class HostHeader(NamedTuple):
    """The value of a Host header.

    Attributes:
        host: An address without brackets, or a name in small letters.
        port: The port; None for the scheme's default.
    """

    host: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def parse_host_header(value: str) -> HostHeader | None:
    """Return what a Host header says; None if it can't be understood."""
    match = _HOST.fullmatch(value)
    if match is None:
        return None
    host, port = match[1].lower(), int(match[2]) if match[2] else None
    if host.startswith("["):
        host = host[1:-1]
        if not is_ip_address(host) or ":" not in host:
            return None
    return None if port is not None and port > 65_535 else HostHeader(host, port)  # noqa: PLR2004  the largest port


def is_ip_address(host: str) -> bool:
    """Return whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def accepts_host(host: str, names: Collection[str]) -> bool:
    """Return whether a server answers to a host.

    Args:
        host: An address without brackets, or a name in small letters.
        names: The names that the server's user has given, in small letters.
    """
    return host == "localhost" or host in names or is_ip_address(host)


class Origin(NamedTuple):
    """Where a page comes from, as the header Origin says it (RFC 6454).

    Attributes:
        scheme: ``http`` or ``https``.
        host: An address without brackets, or a name in small letters.
        port: The port.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        shown = None if self.port == _DEFAULT_PORTS[self.scheme] else self.port
        return f"{self.scheme}://{HostHeader(self.host, shown)}"

    @property
    def websocket(self) -> str:
        """The address of the WebSocket there, without a path."""
        return str(self).replace("http", "ws", 1)

    def is_at(self, host: HostHeader) -> bool:
        """Return whether a request for this origin has such a Host."""
        return (self.host, self.port) == (host.host, host.port or _DEFAULT_PORTS[self.scheme])


def parse_origin(text: str) -> Origin | None:
    """Return an origin, such as ``https://chat.example:8443``; None if that is none."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        return None
    found = parse_host_header(rest)
    return None if found is None else Origin(scheme, found.host, found.port or _DEFAULT_PORTS[scheme])


def accepts_origin(origin: str, host: HostHeader, *, encrypted: bool) -> bool:
    """Return whether an Origin is that of the server's own page.

    Args:
        origin: The header's value, such as ``http://localhost:8080``.
        host: The request's Host.
        encrypted: Whether the connection is encrypted. Without encryption, a proxy in front may have added it.
    """
    found = parse_origin(origin)
    return found is not None and found.is_at(host) and (found.scheme == "https" or not encrypted)
