"""The schemes that the text of a target begins with, and why another one is refused."""

import re

SCHEMES = ("tcp", "sockctl", "tls", "sockctls")
"""The schemes that a target may begin with: raw bytes or messages, and each of them under TLS."""
WEB_PORTS = {"ws": 80, "wss": 443}
"""The schemes of WebSocket, each with its usual port: RFC 6455, section 3."""
UDP = "udp"
"""The scheme of datagrams."""
_PAGES = {"http": ("ws", "", 80), "https": ("wss", "tls://", 443)}
"""The schemes of pages, each with that of a WebSocket at the same place, that of its bytes, and its usual port."""
_USER = re.compile(r"(?<=://)[^/?#]*@")
"""Finds a user and a password in front of a host."""


def is_web_address(text: str) -> bool:
    """Return whether a target begins as the address of a WebSocket does."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme in WEB_PORTS


def is_udp_address(text: str) -> bool:
    """Return whether a target begins as one of datagrams does."""
    return text.startswith(f"{UDP}://")


def explain_scheme(target: str, scheme: str) -> str:
    """Return the error about a target whose scheme isn't one of SCHEMES; a user and a password in it aren't shown."""
    target = _USER.sub("", target)
    if scheme in WEB_PORTS:
        return f"{target!r} is the address of a WebSocket: 'sockctl connect' alone takes one. Write HOST:PORT here."
    if scheme == UDP:
        return (
            f"{target!r} is a target of datagrams: 'sockctl connect' and 'sockctl bench echo' take it, and one alone."
        )
    if page := _PAGES.get(scheme.lower()):
        web, raw, usual_port = page
        rest = target.partition("://")[2]
        host = re.split("[/?#]", rest, maxsplit=1)[0]
        port = "" if host.rpartition("]")[2].count(":") else f":{usual_port}"
        return (
            f"{target!r} is the address of a page, and sockctl speaks no {scheme}://. Its bytes are at "
            f"{raw}{host}{port}; for 'sockctl connect' to a WebSocket there, write {web}://{rest}"
        )
    known = ", ".join(f"{name}://" for name in SCHEMES)
    return (
        f"{target!r} begins with an unknown scheme: sockctl knows {known} and unix:PATH, and 'sockctl connect' also "
        f"udp://, ws:// and wss://."
    )
