"""Names of files for rooms and servers: readable, and safe whatever a stranger calls a room.

Letters, digits and marks of all scripts stay, and ``_ - . #``, but for a dot in front. Of all else each byte becomes
``%`` and two digits. So no name leads to another folder, and no two names become one. A long name is cut, and ``~`` and
the begin of its SHA-256 stand behind it.
"""

import hashlib
import unicodedata
from collections.abc import Sequence

from sockctl.net.address import Endpoint
from sockctl.protocol.names import make_name_key

MAX_BYTES = 150
"""File systems allow 255 bytes, and what stands behind the name wants its share."""
_SIGNS = frozenset("_-.#")


def name_file_of(room: str) -> str:
    """Return the name of a room's file, without an ending: one for all ways of writing the room."""
    return _make_safe(make_name_key(room))


def name_folder_of(servers: Sequence[Endpoint]) -> str:
    """Return the name for the files of a server, or of several of one chat in any order: their hosts and ports."""
    names = sorted({f"{_make_safe(one.host.lower())}_{one.port}" for one in servers})
    return _cut(",".join(names)) if len(names) > 1 else names[0]


def _make_safe(text: str) -> str:
    name = "".join(map(_escape, unicodedata.normalize("NFC", text)))
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    return _cut(name, text) or "%"


def _cut(name: str, text: str = "") -> str:
    """Return a name that is not too long.

    Args:
        name: The name.
        text: What it was made of, which its checksum is of; empty for the name itself.
    """
    encoded = name.encode()
    if len(encoded) <= MAX_BYTES:
        return name
    digest = hashlib.sha256((text or name).encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{encoded[:MAX_BYTES].decode(errors='ignore')}~{digest}"


def _escape(character: str) -> str:
    if character.isalnum() or character in _SIGNS or unicodedata.category(character).startswith("M"):
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))
