"""The form of ``sessions.json``, in which earlier versions kept the sessions of a data directory.

{"version": 1, "sessions": {"<id>": {"user": "ann", "credential_generation": 7, "server_id": "…",
    "address": "127.0.0.1", "created": "…", "last_used": "…", "tokens": {"<sha256>": "<that before it>"}}}}
"""

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from sockctl.errors import StoreFormatError
from sockctl.stores.json_store import Content, json_place
from sockctl.stores.timestamps import check_timestamp, parse_timestamp

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ["OLD_FILE_NAME", "OLD_VERSION", "check_old", "insert_old"]

OLD_FILE_NAME = "sessions.json"
OLD_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("user", "server_id", "address")
_MOST = 2**63 - 1
"""The largest whole number that SQLite holds."""


def insert_old(database: "Connection", content: Content) -> None:
    """Take over the sessions of an old file, beside those that are there already."""
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


def check_old(content: Content) -> None:
    """Refuse a file that some other hand has changed into something else."""
    sessions = content.get("sessions")
    if type(sessions) is not dict:
        raise StoreFormatError("sessions is no object")
    for session_id, entry in sessions.items():
        if type(entry) is not dict:
            raise StoreFormatError(f"{json_place('sessions', session_id)} is no object")
        if not session_id.isascii():
            raise StoreFormatError(f"{json_place('sessions', session_id)} has an id that is not ASCII")
        _check_entry(session_id, entry)


def _check_entry(session_id: str, entry: dict[str, Any]) -> None:
    for key in _TEXTS:
        if type(entry.get(key)) is not str or not entry[key].isascii():
            raise StoreFormatError(f"{json_place('sessions', session_id, key)} is no text of ASCII")
    try:
        ipaddress.ip_address(entry["address"])
    except ValueError as error:
        raise StoreFormatError(f"{json_place('sessions', session_id, 'address')} is no IP address") from error
    generation = entry.get("credential_generation")
    if type(generation) is not int or abs(generation) > _MOST:
        raise StoreFormatError(f"{json_place('sessions', session_id, 'credential_generation')} is no whole number")
    for key in ("created", "last_used"):
        check_timestamp(entry.get(key), "sessions", session_id, key)
    tokens = entry.get("tokens")
    if type(tokens) is not dict:
        raise StoreFormatError(f"{json_place('sessions', session_id, 'tokens')} is no object")
    for own, before in tokens.items():
        if not _SHA256.fullmatch(own) or type(before) is not str or (before and not _SHA256.fullmatch(before)):
            raise StoreFormatError(f"{json_place('sessions', session_id, 'tokens')} holds what is no SHA-256")
