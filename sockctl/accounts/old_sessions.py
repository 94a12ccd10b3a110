"""The form of ``sessions.json``, in which earlier versions saved the sessions.

{"version": 1, "sessions": {"<id>": {"user": "ann", "credential_generation": 7, "server_id": "…",
    "address": "127.0.0.1", "created": "…", "last_used": "…", "tokens": {"<sha256>": "<that before it>"}}}}
"""

import ipaddress
import re
from typing import TYPE_CHECKING

from sockctl.stores.json_store import Content
from sockctl.stores.schema import mapping, parsed, record, text, timestamp, unless, whole_number
from sockctl.stores.timestamps import parse_timestamp

if TYPE_CHECKING:
    from sqlite3 import Connection

OLD_FILE_NAME = "sessions.json"
OLD_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST = 2**63 - 1
"""The largest whole number that SQLite holds."""


def _are_hashes(tokens: Content) -> bool:
    texts = [*tokens, *(before for before in tokens.values() if before != "")]
    return all(type(one) is str and _SHA256.fullmatch(one) for one in texts)


_NO_ASCII = "is no text of ASCII"
_IS_ASCII = unless(str.isascii, _NO_ASCII)
_SESSION = record(
    {
        "user": text(_IS_ASCII, problem=_NO_ASCII),
        "server_id": text(_IS_ASCII, problem=_NO_ASCII),
        "address": text(_IS_ASCII, parsed(ipaddress.ip_address, "is no IP address"), problem=_NO_ASCII),
        "credential_generation": whole_number("is no whole number", least=-_MOST, most=_MOST),
        "created": timestamp,
        "last_used": timestamp,
        "tokens": record({}, unless(_are_hashes, "holds what is no SHA-256")),
    }
)
OLD_FORM = record({"sessions": mapping(_SESSION, key=unless(str.isascii, "has an id that is not ASCII"))})
"""The form of the file."""


def insert_old(database: "Connection", content: Content) -> None:
    """Insert the sessions of an old file that the database doesn't have yet."""
    for session_id, entry in content.get("sessions", {}).items():
        moments = (int(parse_timestamp(entry[key]).timestamp()) for key in ("created", "last_used"))
        values = (*(entry[key] for key in ("user", "credential_generation", "server_id", "address")), *moments)
        added = database.execute(
            "INSERT OR IGNORE INTO sessions (id, user, credential_generation, server_id, address, created, last_used) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (session_id, *values),
        )
        if added.rowcount:
            shown = set(entry["tokens"].values())
            database.executemany(
                "INSERT OR IGNORE INTO tokens (session, sha256, used) VALUES (?, ?, ?)",
                [(added.lastrowid, bytes.fromhex(one), one in shown) for one in entry["tokens"]],
            )
