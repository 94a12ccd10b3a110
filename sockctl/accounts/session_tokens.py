"""The tokens of sessions: each token resumes its session once, and the server sends the next one.

A token is ``<id>.<secret>`` (see `device_tokens`); the file has its SHA-256 only. The first use of a token replaces all
others of its session:

    shown   | valid afterwards
    A       | A, B            (B may be lost on its way: A stays valid)
    A       | A, B, C
    C       | C, D            (C replaces A and B, which stay valid for REPLACED_S: two clients may be on their way)
    A       | nothing         (later: one of two clients uses a copy, so the session ends)

The secret proves that a token belonged to the session, so the server recognizes old tokens without a list of them.
"""

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

MAX_TOKENS = 64
"""The most unused tokens of one session; a further one replaces the oldest.

A deleted token counts as copied. So the limit is above the clients of one user that show one token at once.
"""
REPLACED_S = 30
"""How long a token stays valid after a newer one has replaced it."""
TOKEN_SCHEMA = (
    """CREATE TABLE tokens (
        number INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        sha256 BLOB NOT NULL UNIQUE,
        used INTEGER NOT NULL,
        replaced INTEGER
    )""",
    "CREATE INDEX tokens_of_session ON tokens (session)",
)
_TOKEN = re.compile(r"([0-9a-f]{12})\.[A-Za-z0-9_-]{43}")


def parse_session_id(token: str) -> str:
    """Return the id of the session that a token names; empty where the text is no token."""
    match = _TOKEN.fullmatch(token)
    return "" if match is None else match[1]


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token."""
    return hashlib.sha256(token.encode()).digest()


def give_token(database: "Connection", number: int | None, sha256: bytes) -> None:
    """Save a new token; delete all unused tokens but the newest MAX_TOKENS."""
    database.execute("INSERT INTO tokens (session, sha256, used) VALUES (?, ?, FALSE)", (number, sha256))
    database.execute(
        "DELETE FROM tokens WHERE number IN (SELECT number FROM tokens WHERE session = ? AND NOT used "
        "AND replaced IS NULL ORDER BY number DESC LIMIT -1 OFFSET ?)",
        (number, MAX_TOKENS),
    )


def use_token(database: "Connection", number: int, sha256: bytes, now: int) -> bool:
    """Return whether a token is valid; its first use replaces the others."""
    values = {"session": number, "sha256": sha256, "now": now, "since": now - REPLACED_S}
    database.execute("DELETE FROM tokens WHERE session = :session AND replaced <= :since", values)
    found = database.execute(
        "SELECT used OR replaced IS NOT NULL FROM tokens WHERE session = :session AND sha256 = :sha256", values
    ).fetchone()
    if found == (False,):
        database.execute(
            "UPDATE tokens SET replaced = :now WHERE session = :session AND sha256 <> :sha256 AND replaced IS NULL",
            values,
        )
        database.execute("UPDATE tokens SET used = TRUE WHERE sha256 = :sha256", values)
    return found is not None
