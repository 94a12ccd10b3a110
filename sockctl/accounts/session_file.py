"""The sessions in the file ``sessions.db`` of a data directory (see `session` for its tables)."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.accounts.old_sessions import OLD_FILE_NAME, OLD_FORM, OLD_VERSION, insert_old
from sockctl.accounts.session import COLUMNS, IDLE, SCHEMA
from sockctl.accounts.session_store import MAX_PER_USER, MAX_SESSIONS, TIDIED_AT_ONCE, Rotation, Row
from sockctl.accounts.session_tokens import give_token, use_token
from sockctl.stores.old_file import OldFile
from sockctl.stores.sqlite_store import SqliteStore

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE_NAME = "sessions.db"
VERSION = 1
SETTLE_S = 0.5
"""How long `settle` may wait for other changes: the thread that calls it also enforces changes within 2 s."""


class SessionFile:
    """The file. Several threads and processes may use it at once. See `SessionStore` for the methods.

    Args:
        data_dir: The folder of the file; the first session creates both.
        max_sessions: The limit of sessions.
    """

    def __init__(self, data_dir: Path, *, max_sessions: int = MAX_SESSIONS) -> None:
        self._max_sessions = max_sessions
        old_file = OldFile(data_dir / OLD_FILE_NAME, OLD_VERSION, OLD_FORM, insert_old, private=True)
        self._store = SqliteStore(data_dir / FILE_NAME, version=VERSION, schema=SCHEMA, old_file=old_file, private=True)

    def list_rows(self, user: str | None, now: int) -> list[Row]:
        """Return the sessions of a user, or of everybody, that aren't over, in the order in which they began."""
        sql = f"SELECT {COLUMNS} FROM sessions WHERE ? < expires"
        if user is None:
            return self._store.fetch_rows(f"{sql} ORDER BY number", (now,))
        return self._store.fetch_rows(f"{sql} AND user = ? ORDER BY number", (now, user))

    def find_rows(self, session_ids: Collection[str], now: int) -> list[Row]:
        """Return those of the sessions that aren't over."""
        sql = f"SELECT {COLUMNS} FROM sessions WHERE id IN (SELECT value FROM json_each(?)) AND ? < expires"
        return self._store.fetch_rows(sql, (json.dumps(list(session_ids)), now))

    def list_ended(self, mark: str) -> tuple[str, list[str] | None]:
        """Return that the file doesn't tell."""
        return mark, None

    def begin(self, row: Row, tokens: Sequence[bytes]) -> None:
        """Save a new session, and delete others beyond the limits."""
        _, user, _, _, _, now, _ = row
        with self._store.update() as database:
            self._make_room(database, user, now)
            number = database.execute(f"INSERT INTO sessions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row).lastrowid
            for token in tokens:
                give_token(database, number, token)

    def rotate(
        self, session_id: str, shown: bytes, following: bytes, *, given: bool, address: str, now: int
    ) -> Rotation:
        """Resume a session, in one transaction."""
        with self._store.update() as database:
            found = database.execute("SELECT number FROM sessions WHERE id = ?", (session_id,)).fetchone()
            if found is None:
                return None, False
            (number,) = found
            if use_token(database, number, shown, now):
                give_token(database, number, following)
                _use(database, session_id, address, now)
                (row,) = database.execute(f"SELECT {COLUMNS} FROM sessions WHERE number = ?", (number,))
                return row, False
            if given:
                database.execute("DELETE FROM sessions WHERE number = ?", (number,))
            return None, given

    def list_tokens(self, session_id: str) -> list[bytes]:
        """Return the SHA-256 of each token that resumes a session, but for those that a newer one has replaced."""
        sql = (
            "SELECT sha256 FROM tokens JOIN sessions ON sessions.number = session WHERE sessions.id = ? "
            "AND replaced IS NULL ORDER BY tokens.number"
        )
        return [sha256 for (sha256,) in self._store.fetch_rows(sql, (session_id,))]

    def settle(self, used: Mapping[str, str], ended: Collection[str], now: int) -> None:
        """Save uses of sessions, and delete other sessions, in one transaction."""
        with self._store.update(lock_timeout_s=SETTLE_S) as database:
            database.executemany("DELETE FROM sessions WHERE id = ?", [(own,) for own in ended])
            for own, address in used.items():
                _use(database, own, address, now)

    def tidy(self, now: int) -> None:
        """Delete sessions that are over, and correct those that a fast clock has written."""
        bounds = {"now": now, "ahead": now + int(IDLE.total_seconds()), "most": TIDIED_AT_ONCE}
        if not self._store.fetch_rows(
            "SELECT 1 FROM sessions WHERE expires <= :now OR expires > :ahead LIMIT 1", bounds
        ):
            return
        with self._store.update(lock_timeout_s=SETTLE_S) as database:
            database.execute(
                "DELETE FROM sessions WHERE number IN "
                "(SELECT number FROM sessions WHERE expires <= :now ORDER BY expires LIMIT :most)",
                bounds,
            )
            database.execute(
                "UPDATE sessions SET created = min(created, :now), last_used = min(last_used, :now) WHERE number IN "
                "(SELECT number FROM sessions WHERE expires > :ahead ORDER BY expires LIMIT :most)",
                bounds,
            )

    def end(self, session_id: str) -> bool:
        """Delete a session; return whether it was there."""
        with self._store.update() as database:
            return database.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).rowcount > 0

    def end_all(self, user: str | None) -> list[Row]:
        """Delete the sessions of a user, or of everybody; return them."""
        sql = "SELECT 1 FROM sessions" if user is None else "SELECT 1 FROM sessions WHERE user = :user"
        if not self._store.fetch_rows(f"{sql} LIMIT 1", {"user": user}):
            return []  # without a session, no file or folder is created
        where = "" if user is None else "WHERE user = :user"
        with self._store.update() as database:
            rows = database.execute(
                f"SELECT {COLUMNS} FROM sessions {where} ORDER BY number", {"user": user}
            ).fetchall()
            database.execute(f"DELETE FROM sessions {where}", {"user": user})
        return rows

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._store.close()

    def _make_room(self, database: "Connection", user: str, now: int) -> None:
        """Delete sessions, so that a new one of a user is within both limits."""
        database.execute(
            "DELETE FROM sessions WHERE number IN (SELECT number FROM sessions WHERE user = :user "
            "ORDER BY expires > :now DESC, number DESC LIMIT -1 OFFSET :kept)",
            {"user": user, "now": now, "kept": MAX_PER_USER - 1},
        )
        (count,) = database.execute("SELECT count(*) FROM sessions").fetchone()
        database.execute(
            "DELETE FROM sessions WHERE number IN (SELECT number FROM sessions ORDER BY expires LIMIT ?)",
            (max(0, count - self._max_sessions + 1),),
        )


def _use(database: "Connection", session_id: str, address: str, now: int) -> None:
    """Save the use of a session. A session that began by a fast clock must not last longer for that."""
    database.execute(
        "UPDATE sessions SET created = min(created, :now), last_used = :now, address = :address WHERE id = :id",
        {"now": now, "address": address, "id": session_id},
    )
