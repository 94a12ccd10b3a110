"""The sessions, in a store: a token keeps a user logged in, as a cookie does."""

import datetime
import secrets
from collections.abc import Callable, Collection, Mapping

from sockctl.accounts.device_tokens import DeviceTokens
from sockctl.accounts.session import Session, read_session
from sockctl.accounts.session_store import SessionStore
from sockctl.accounts.session_tokens import hash_token, parse_session_id
from sockctl.accounts.user import User
from sockctl.errors import TokenRefusedError, TokenReusedError, UnknownSessionError
from sockctl.stores.timestamps import Clock, read_utc_clock

WRITTEN_EVERY = datetime.timedelta(minutes=1)
"""How often the use of a session is saved at most."""


class Sessions:
    """The sessions. Several threads and processes may use them at once.

    Args:
        store: Where they are kept.
        server_id: Returns the id of this server, which refuses the sessions of another one.
        tokens: Makes the secrets of tokens, and recognizes them.
        clock: Returns the time, with a time zone.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        server_id: Callable[[], str],
        tokens: DeviceTokens,
        clock: Clock = read_utc_clock,
    ) -> None:
        self._store = store
        self._server_id = server_id
        self._tokens = tokens
        self._clock = clock
        self._ending: set[str] = set()  # ids of sessions that end with the next `settle`; each call changes one of them

    def list_all(self, user: str | None = None) -> list[Session]:
        """Return the sessions of a user, or of everybody, that aren't over, in the order in which they began.

        Raises:
            StoreError: The store can't be read.
        """
        return [read_session(row) for row in self._store.list_rows(user, self._read_clock())]

    def find(self, session_id: str) -> Session | None:
        """Return a session that isn't over; None if there is none of that id.

        Raises:
            StoreError: The store can't be read.
        """
        return self.find_all([session_id]).get(session_id)

    def find_all(self, session_ids: Collection[str]) -> dict[str, Session]:
        """Return those of the sessions that aren't over, by id.

        Raises:
            StoreError: The store can't be read.
        """
        return {row[0]: read_session(row) for row in self._store.find_rows(session_ids, self._read_clock())}

    def list_ended(self, mark: str) -> tuple[str, list[str] | None]:
        """Return what `SessionStore.list_ended` returns.

        Raises:
            StoreError: The store can't be read.
        """
        return self._store.list_ended(mark)

    def begin(self, user: User, address: str, *, with_token: bool) -> Session:
        """Begin a session of a user who has just logged in, and return it with its token.

        Args:
            user: The user.
            address: The client's IP address.
            with_token: Whether a token may resume it. Otherwise the caller must `end` it with its connection.

        Raises:
            StoreError: The store can't be read or written.
        """
        server_id, now = self._server_id(), self._read_clock()
        session_id = secrets.token_hex(6)
        token = self._make_token(session_id, user.name) if with_token else None
        row = session_id, user.name, user.credential_generation, server_id, address, now, now
        self._store.begin(row, [] if token is None else [hash_token(token)])
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
            StoreError: The store can't be read or written.
        """
        session = self.find(parse_session_id(token))
        if (
            session is None
            or session.id in self._ending
            or not is_current(session)
            or session.server_id != self._server_id()
        ):
            raise _make_refusal()
        next_token = self._make_token(session.id, session.user)
        row, has_ended = self._store.rotate(
            session.id,
            hash_token(token),
            hash_token(next_token),
            given=self._tokens.find_device([token], session.user) == session.id,
            address=address,
            now=self._read_clock(),
        )
        if has_ended:
            raise TokenReusedError(
                "That token was replaced by a newer one, so its session is over: log in with your password.",
                user=session.user,
                session=session.id,
            )
        if row is None:
            raise _make_refusal()
        return read_session(row, next_token)

    def end_soon(self, session_id: str) -> None:
        """Let a session resume no more in this process; `settle` must end it. Any thread may call it; never blocks."""
        self._ending.add(session_id)

    def settle(self, *, used: Mapping[str, str], ended: Collection[str] = ()) -> None:
        """Save, in one change, which sessions are used, and end others; waits 0.5 s at most for other changes.

        The use of a session is saved once a minute at most.

        Args:
            used: The address of the client that uses a session, by the session's id.
            ended: The ids of sessions to end; some of them may be over.

        Raises:
            StoreError: The store can't be read or written.
        """
        if not used and not ended:
            return
        now = self._clock()
        known = self.find_all({*used, *ended})
        stale = [own for own in used if own in known and not _is_fresh(known[own].last_used, now)]
        if stale or any(own in known for own in ended):
            self._store.settle({own: used[own] for own in stale}, ended, int(now.timestamp()))
        self._ending.difference_update(ended)

    def tidy(self) -> None:
        """Delete sessions that are over, and correct those that a fast clock has written.

        Waits 0.5 s at most for other changes. A process may call this only once it knows that its clock is right.

        Raises:
            StoreError: The store can't be read or written.
        """
        self._store.tidy(self._read_clock())

    def end(self, session_id: str) -> Session:
        """End a session, and return it.

        Raises:
            UnknownSessionError: There is no session of that id.
            StoreError: The store can't be read or written.
        """
        session = self.find(session_id)
        if session is None or not self._store.end(session_id):
            raise UnknownSessionError(
                f"There is no session {session_id!r}: 'sockctl sessions list' shows those that there are."
            )
        return session

    def end_all(self, user: str | None = None) -> list[Session]:
        """End all sessions of a user, or of everybody, and return those that weren't over.

        Raises:
            StoreError: The store can't be read or written.
        """
        sessions = [read_session(row) for row in self._store.end_all(user)]
        now = self._clock()
        return [session for session in sessions if now < session.expires]

    def close(self) -> None:
        """Close the store; the next use opens it again."""
        self._store.close()

    def _make_token(self, session_id: str, user: str) -> str:
        return f"{session_id}.{self._tokens.make_secret(session_id, user)}"

    def _read_clock(self) -> int:
        return int(self._clock().timestamp())


def _make_refusal() -> TokenRefusedError:
    return TokenRefusedError("That session is over: log in with your password.")


def _is_fresh(last_used: datetime.datetime, now: datetime.datetime) -> bool:
    return datetime.timedelta() <= now - last_used < WRITTEN_EVERY  # a time in the future is corrected
