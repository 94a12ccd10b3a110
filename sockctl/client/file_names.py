"""Names of files for rooms and servers: readable, and safe whatever a stranger calls a room.

Letters, digits and marks of all scripts stay, and ``_ - . #``, but for a dot in front. Of all else each byte becomes
``%`` and two digits. So no name leads to another folder, and no two names become one. A long name is cut, and ``~`` and
the begin of its SHA-256 stand behind it.
"""

import hashlib
import unicodedata

from sockctl.net.address import Endpoint
from sockctl.protocol.names import make_name_key

MAX_BYTES = 150
"""File systems allow 255 bytes, and what stands behind the name wants its share."""
_SIGNS = frozenset("_-.#")


def name_file_of(room: str) -> str:
    """Return the name of a room's file, without an ending: one for all ways of writing the room."""
    return _make_safe(make_name_key(room))


def name_folder_of(server: Endpoint) -> str:
    """Return the name for a server's files: its host and its port."""
    return f"{_make_safe(server.host.lower())}_{server.port}"


def _make_safe(text: str) -> str:
    name = "".join(map(_escape, unicodedata.normalize("NFC", text)))
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    encoded = name.encode()
    if len(encoded) <= MAX_BYTES:
        return name or "%"
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{encoded[:MAX_BYTES].decode(errors='ignore')}~{digest}"


def _escape(character: str) -> str:
    if character.isalnum() or character in _SIGNS or unicodedata.category(character).startswith("M"):
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))
