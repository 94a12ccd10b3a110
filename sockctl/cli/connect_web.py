"""The request of a client for a WebSocket, as its options want it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.cli.connect_options import WebSocketOptions
from sockctl.cli.extras import needing
from sockctl.errors import OptionError
from sockctl.net.address import Endpoint, Target
from sockctl.net.schemes import WEB_PORTS
from sockctl.text import make_visible

if TYPE_CHECKING:
    from sockctl.net.web.client import WebRequest

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
"""A name in HTTP, RFC 9110, section 5.6.2."""
_MAX_VALUE = 8_192
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})
_OWN = frozenset({"connection", "upgrade", "content-length", "transfer-encoding"})
_OWN_BEGINNING = "sec-websocket-"
_HOW = {
    "sec-websocket-protocol": "--subprotocol names one",
}


def make_request(target: Target, options: WebSocketOptions, *, encrypted: bool) -> "WebRequest":
    """Return the request.

    Args:
        target: The target.
        options: The user's options.
        encrypted: Whether the connection is under TLS.

    Raises:
        OptionError: The target is no WebSocket's, or a header or a subprotocol is wrong.
        SecretFileError: The file of headers can't be used.
        LibraryMissingError: A library is missing.
    """
    if target.scheme not in WEB_PORTS or target.resource is None:
        raise OptionError(
            "--binary, --subprotocol, --header and --header-file are for WebSocket: write ws://HOST:PORT/PATH, or wss://."
        )
    scheme = target.scheme
    with needing("web", f"{scheme}://"):
        from sockctl.client import web_exchange as _exchange  # noqa: F401  better now than with a connection
        from sockctl.net.web.client import WebRequest
    given = [_parse_header(text, f"--header number {number}") for number, text in enumerate(options.header or [], 1)]
    for name, _ in given:
        if name.lower() in _SECRET:
            raise OptionError(
                f"--header {name} would show a secret to other users of this machine: write the header to a file with "
                f"mode 0600, and give --header-file FILE."
            )
    return WebRequest(
        encrypted=encrypted,
        resource=target.resource,
        subprotocols=_check_subprotocols(options.subprotocol or []),
        headers=[*given, *_read_headers(options.header_file)],
    )


def is_vouched(endpoint: Endpoint, state_dir: Path | None) -> bool:
    """Return whether the system's authorities vouch for a server, unless the user has said which ones to trust.

    They do where it has a public name, and the user doesn't know a certificate of it already.

    Raises:
        StoreError: The file of known servers can't be read.
    """
    from sockctl.client.known_hosts import KnownHosts
    from sockctl.net.web.url import is_public_name
    from sockctl.paths import find_state_dir

    if not is_public_name(endpoint.host):
        return False
    return KnownHosts(find_state_dir(state_dir)).find(endpoint.host, endpoint.port) is None


def _read_headers(file: Path | None) -> list[tuple[str, str]]:
    if file is None:
        return []
    from sockctl.cli.passwords import read_secret_lines

    lines = read_secret_lines(file, "header")
    return [_parse_header(line, f"Header {number} in the file of headers") for number, line in enumerate(lines, 1)]


def _parse_header(text: str, which: str) -> tuple[str, str]:
    """Return the name and the value of a header; no error shows the value, which may be a secret."""
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name):
        raise OptionError(f"{which} is no NAME:VALUE, such as 'Origin: https://server.example'.")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):  # noqa: PLR2004  controls
        raise OptionError(f"{which}, {name}, has a line break or a control character in its value: leave that out.")
    if not value.isascii():
        raise OptionError(f"{which}, {name}, has characters in its value that aren't ASCII: a header has none.")
    if len(value) > _MAX_VALUE:
        raise OptionError(f"{which}, {name}, has {len(value):,} characters in its value: {_MAX_VALUE:,} are allowed.")
    if name.lower() in _OWN or name.lower().startswith(_OWN_BEGINNING):
        how = _HOW.get(name.lower(), "leave it out")
        raise OptionError(f"{which}, {name}, is a header that the client sets itself: {how}.")
    return name, value


def _check_subprotocols(names: Sequence[str]) -> list[str]:
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise OptionError(
                f"--subprotocol '{make_visible(name[:80])}' is no name: it has letters, digits, dots and hyphens, "
                f"such as chat.v1."
            )
    return list(dict.fromkeys(names))
