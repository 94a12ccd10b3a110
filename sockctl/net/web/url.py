"""The address of a WebSocket, as a user writes it (RFC 6455, section 3)."""

from urllib.parse import quote

from sockctl.errors import AddressError
from sockctl.net.address import Target, is_address, parse_host, parse_port, split_port
from sockctl.net.schemes import WEB_PORTS
from sockctl.text import make_visible

_MAX_RESOURCE = 4_096
_SHOWN_CHARACTERS = 200
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_OWN_ENDINGS = (
    *("localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa"),
    *("alt", "onion", "test", "example", "invalid"),
)
"""Ends of names that no public authority vouches for: RFC 6761, 6762, 8375 and 9476, and what networks use."""


def parse_web_target(text: str, port: str | None = None) -> Target:
    """Return the target of ``ws://HOST[:PORT][/PATH][?QUERY]`` or ``wss://…``; the usual ports are 80 and 443.

    Characters of the path beyond ASCII are percent-encoded.

    Raises:
        AddressError: The text is no such address, holds a user or a fragment, or has a second port.
    """
    shown = make_visible(text[:_SHOWN_CHARACTERS])
    scheme, _, rest = text.partition("://")
    end = min((rest.find(mark) for mark in "/?#" if mark in rest), default=len(rest))
    authority, resource = rest[:end], rest[end:]
    if "@" in authority:
        raise AddressError(
            "The address holds a user or a password, which other users of this machine could see. Leave it out, and "
            "give --header-file FILE with a line such as 'Authorization: Basic …'."
        )
    if "#" in resource:
        raise AddressError(
            f"'{shown}' has a fragment (#): a WebSocket's address has none. %23 stands for the character."
        )
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in resource):  # noqa: PLR2004  controls
        raise AddressError(f"'{shown}' has a space or a control character in its path: write %20 for a space.")
    if len(resource) > _MAX_RESOURCE:
        raise AddressError(f"The path has {len(resource):,} characters: {_MAX_RESOURCE:,} are allowed.")
    if "," in authority:
        raise AddressError(f"'{shown}' names several servers: a WebSocket's address names one.")
    host, own_port = split_port(authority)
    if port is not None and own_port is not None:
        raise AddressError(f"The port is given twice, in '{shown}' and as {port!r}: leave one out.")
    if not host:
        raise AddressError(f"'{shown}' names no host: write {scheme}://HOST:PORT/PATH.")
    chosen = own_port if port is None else port
    return Target(
        parse_host(host),
        WEB_PORTS[scheme] if chosen is None else parse_port(chosen),
        scheme,
        quote(resource if resource.startswith("/") else f"/{resource}", safe=_VISIBLE, errors="surrogateescape"),
    )


def is_public_name(host: str) -> bool:
    """Return whether a host is a name for which a public authority may vouch: no address, and no local name."""
    name = host.lower().removesuffix(".")
    if "." not in name or is_address(host.partition("%")[0]):
        return False
    return not any(name == ending or name.endswith(f".{ending}") for ending in _OWN_ENDINGS)
