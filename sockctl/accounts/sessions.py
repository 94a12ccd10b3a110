"""The sessions of a data directory, ``sessions.db``: a token keeps a user logged in, as a cookie does."""

import datetime
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.accounts.device_tokens import DeviceTokens
from sockctl.accounts.old_sessions import OLD_FILE_NAME, OLD_FORM, OLD_VERSION, insert_old
from sockctl.accounts.session import COLUMNS, IDLE, SCHEMA, Session, read_session
from sockctl.accounts.session_tokens import give_token, parse_session_id, use_token
from sockctl.accounts.user import User
from sockctl.errors import TokenRefusedError, TokenReusedError, UnknownSessionError
from sockctl.stores.old_file import OldFile
from sockctl.stores.sqlite_store import SqliteStore
from sockctl.stores.timestamps import Clock, read_utc_clock

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE_NAME = "sessions.db"
VERSION = 1
MAX_PER_USER = 10
"""The most sessions of one user; a further one replaces the oldest."""
MAX_SESSIONS = 100_000
"""The most sessions of all users; a further one replaces the one that would expire first."""
WRITTEN_EVERY = datetime.timedelta(minutes=1)
"""How often the use of a session is saved at most."""
SETTLE_S = 0.5
"""How long `settle` may wait for other changes: the thread that calls it also enforces changes within 2 s."""
TIDIED_AT_ONCE = 1_000
"""Sessions that one change deletes, so that no login waits for long."""


class Sessions:
    """The sessions in a data directory. Several threads and processes may use them at once.

    Args:
        data_dir: The folder of the file; the first session creates both.
        server_id: Returns the id of this server, which refuses the sessions of another one.
        tokens: Makes the secrets of tokens, and recognizes them.
        clock: Returns the time, with a time zone.
        max_sessions: The limit of sessions.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        server_id: Callable[[], str],
        tokens: DeviceTokens,
        clock: Clock = read_utc_clock,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        self._server_id = server_id
        self._tokens = tokens
        self._clock = clock
        self._max_sessions = max_sessions
        old_file = OldFile(data_dir / OLD_FILE_NAME, OLD_VERSION, OLD_FORM, insert_old, private=True)
        self._store = SqliteStore(data_dir / FILE_NAME, version=VERSION, schema=SCHEMA, old_file=old_file, private=True)

    def list_all(self, user: str | None = None) -> list[Session]:
        """Return the sessions of a user, or of everybody, that aren't over, in the order in which they began.

        Raises:
            StoreError: The file can't be read.
        """
        sql = f"SELECT {COLUMNS} FROM sessions WHERE ? < expires"
        if user is None:
            rows = self._store.fetch_rows(f"{sql} ORDER BY number", (self._read_clock(),))
        else:
            rows = self._store.fetch_rows(f"{sql} AND user = ? ORDER BY number", (self._read_clock(), user))
        return [read_session(row) for row in rows]

    def find(self, session_id: str) -> Session | None:
        """Return a session that isn't over; None if there is none of that id.

        Raises:
            StoreError: The file can't be read.
        """
        return self.find_all([session_id]).get(session_id)

    def find_all(self, session_ids: Collection[str]) -> dict[str, Session]:
        """Return those of the sessions that aren't over, by id.

        Raises:
            StoreError: The file can't be read.
        """
        sql = f"SELECT {COLUMNS} FROM sessions WHERE id IN (SELECT value FROM json_each(?)) AND ? < expires"
        rows = self._store.fetch_rows(sql, (json.dumps(list(session_ids)), self._read_clock()))
        return {row[0]: read_session(row) for row in rows}

    def begin(self, user: User, address: str, *, with_token: bool) -> Session:
        """Begin a session of a user who has just logged in, and return it with its token.

        Args:
            user: The user.
            address: The client's IP address.
            with_token: Whether a token may resume it. Otherwise the caller must `end` it with its connection.

        Raises:
            StoreError: The file can't be read or written.
        """
        server_id, now = self._server_id(), self._read_clock()
        session_id = secrets.token_hex(6)
        token = self._make_token(session_id, user.name) if with_token else None
        with self._store.update() as database:
            self._make_room(database, user.name, now)
            number = database.execute(
                f"INSERT INTO sessions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (session_id, user.name, user.credential_generation, server_id, address, now, now),
            ).lastrowid
            if token is not None:
                give_token(database, number, token)
        row = session_id, user.name, user.credential_generation, server_id, address, now, now
        return read_session(row, token)

    def resume(self, token: str, address: str, *, is_current: Callable[[Session], bool]) -> Session:
        """Resume a session, and return it with its next token.

        Args:
            token: The text that the client has shown as a token.
            address: The client's IP address.
            is_current: Returns whether the session's user may still log in with it.

        Raises:
            TokenReusedError: A newer token had replaced it. A copy is in use, so the session has ended.
            TokenRefusedError: The token is not valid.
            StoreError: The file can't be read or written.
        """
        session = self.find(parse_session_id(token))
        if session is None or not is_current(session) or session.server_id != self._server_id():
            raise _make_refusal()
        now, next_token = self._read_clock(), self._make_token(session.id, session.user)
        was_given = self._tokens.find_device([token], session.user) == session.id
        with self._store.update() as database:
            found = database.execute("SELECT number FROM sessions WHERE id = ?", (session.id,)).fetchone()
            if found is None:
                raise _make_refusal()
            (number,) = found
            counts = use_token(database, number, token, now)
            if counts:
                give_token(database, number, next_token)
                _use(database, session.id, address, now)
                (row,) = database.execute(f"SELECT {COLUMNS} FROM sessions WHERE number = ?", (number,))
            elif was_given:
                database.execute("DELETE FROM sessions WHERE number = ?", (number,))
            else:
                raise _make_refusal()
        if not counts:
            raise TokenReusedError(
                "That token was replaced by a newer one, so its session is over: log in with your password.",
                user=session.user,
                session=session.id,
            )
        return read_session(row, next_token)

    def settle(self, *, used: Mapping[str, str], ended: Collection[str] = ()) -> None:
        """Save, in one change, which sessions are used, and end others; waits 0.5 s at most for other changes.

        The use of a session is saved once a minute at most.

        Args:
            used: The address of the client that uses a session, by the session's id.
            ended: The ids of sessions to end; some of them may be over.

        Raises:
            StoreError: The file can't be read or written.
        """
        if not used and not ended:
            return
        now = self._clock()
        known = self.find_all({*used, *ended})
        stale = [own for own in used if own in known and not _is_fresh(known[own].last_used, now)]
        if not stale and not any(own in known for own in ended):
            return
        with self._store.update(lock_timeout_s=SETTLE_S) as database:
            database.executemany("DELETE FROM sessions WHERE id = ?", [(own,) for own in ended])
            for own in stale:
                _use(database, own, used[own], int(now.timestamp()))

    def tidy(self) -> None:
        """Delete sessions that are over, and correct those that a fast clock has written.

        Waits 0.5 s at most for other changes. A process may call this only once it knows that its clock is right.

        Raises:
            StoreError: The file can't be read or written.
        """
        now = self._read_clock()
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

    def end(self, session_id: str) -> Session:
        """End a session, and return it.

        Raises:
            UnknownSessionError: There is no session of that id.
            StoreError: The file can't be read or written.
        """
        session = self.find(session_id)
        ended = False
        if session is not None:
            with self._store.update() as database:
                ended = database.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).rowcount > 0
        if session is None or not ended:
            raise UnknownSessionError(
                f"There is no session {session_id!r}: 'sockctl sessions list' shows those that there are."
            )
        return session

    def end_all(self, user: str | None = None) -> list[Session]:
        """End all sessions of a user, or of everybody, and return those that weren't over.

        Raises:
            StoreError: The file can't be read or written.
        """
        sql = "SELECT 1 FROM sessions" if user is None else "SELECT 1 FROM sessions WHERE user = :user"
        if not self._store.fetch_rows(f"{sql} LIMIT 1", {"user": user}):
            return []  # without a session, no file or folder is created
        where = "" if user is None else "WHERE user = :user"
        with self._store.update() as database:
            rows = database.execute(f"SELECT {COLUMNS} FROM sessions {where} ORDER BY number", {"user": user})
            sessions = [read_session(row) for row in rows]
            database.execute(f"DELETE FROM sessions {where}", {"user": user})
        now = self._clock()
        return [session for session in sessions if now < session.expires]

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

    def _make_token(self, session_id: str, user: str) -> str:
        return f"{session_id}.{self._tokens.make_secret(session_id, user)}"

    def _read_clock(self) -> int:
        return int(self._clock().timestamp())


def _make_refusal() -> TokenRefusedError:
    return TokenRefusedError("That session is over: log in with your password.")


def _use(database: "Connection", session_id: str, address: str, now: int) -> None:
    """Save the use of a session. A session that began by a fast clock must not last longer for that."""
    database.execute(
        "UPDATE sessions SET created = min(created, :now), last_used = :now, address = :address WHERE id = :id",
        {"now": now, "address": address, "id": session_id},
    )


def _is_fresh(last_used: datetime.datetime, now: datetime.datetime) -> bool:
    return datetime.timedelta() <= now - last_used < WRITTEN_EVERY  # a time in the future is corrected
