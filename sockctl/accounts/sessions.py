"""The sessions of a data directory, ``sessions.json``: who stays logged in, by token, as with a cookie.

    {"version": 1, "sessions": {"<id>": {"user": "ann", "credential_generation": 7, "server_id": "…",
        "address": "127.0.0.1", "created": "…", "last_used": "…", "tokens": {"<sha256>": "<that before it>"}}}}

A token is ``<id>.<secret>`` (see `device_tokens`); only its SHA-256 is kept. Resuming gives a new token, and the one
that was shown dies when one that came of it is shown:

    shown   | kept afterwards
    A       | A → B           (B is lost on its way: A still does)
    A       | A → B, A → C    (two clients of one user: both B and C do)
    C       | B, C → D        (A is dead)
"""

import contextlib
import datetime
import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sockctl.accounts.users import User
from sockctl.errors import StoreError, StoreFormatError, TokenRefusedError, UnknownSessionError
from sockctl.stores.json_store import Content, json_place
from sockctl.stores.moments import Clock, check_moment, read_moment, utc_now, written_moment
from sockctl.stores.served_store import store_at

__all__ = ["ABSOLUTE", "IDLE", "MAX_PER_USER", "Session", "Sessions"]

FILE_NAME = "sessions.json"
VERSION = 1
IDLE = datetime.timedelta(hours=24)
"""A session that isn't used for so long is over."""
ABSOLUTE = datetime.timedelta(days=30)
"""No session lasts longer."""
MAX_PER_USER = 10
"""Sessions of one user; one more, and the oldest goes."""
WRITTEN_EVERY = datetime.timedelta(minutes=1)
"""How often it is written at most that a session is used."""
SETTLE_S = 0.5
"""How long it may wait to be written: whoever writes it also sees to it that a change is in force within 2 s."""
MAX_TOKENS = 16
"""Tokens of one session that might still be shown; one more, and the oldest goes."""
_TOKEN = re.compile(r"([0-9a-f]{12})\.[A-Za-z0-9_-]{43}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("user", "server_id", "address")


@dataclass(frozen=True, slots=True)
class Session:
    """One session.

    Attributes:
        id: What names it; no secret.
        user: The user's name.
        credential_generation: That of the user when it began.
        server_id: The server that began it.
        address: The IP address that used it last.
        created: When it began.
        last_used: When it was used last, to the minute.
        token: The token that resumes it next, where one was just made.
    """

    id: str
    user: str
    credential_generation: int
    server_id: str
    address: str
    created: datetime.datetime
    last_used: datetime.datetime
    token: str | None = field(default=None, repr=False)

    @property
    def expires(self) -> datetime.datetime:
        """When it ends if it isn't used any more."""
        return min(self.last_used + IDLE, self.created + ABSOLUTE)

    @property
    def as_fields(self) -> dict[str, str]:
        """The session as JSON for others: without the token; times as RFC 3339 in UTC."""
        return {
            "id": self.id,
            "user": self.user,
            "address": self.address,
            "created": written_moment(self.created),
            "last_used": written_moment(self.last_used),
            "expires": written_moment(self.expires),
        }


class Sessions:
    """The sessions in a data directory. Several threads and processes may use them at once.

    Every change forgets the sessions that are over, and sets right what a clock that was ahead has written.

    Args:
        data_dir: Where the file is; both are made when the first session begins.
        server_id: Returns what tells this server from others: a session of another one doesn't count.
        make_secret: Returns the secret of a new token, for a session's id and its user.
        clock: Returns the time, with a time zone.
        on_bad: For a server: called when the file can't be read any more, while its last good content holds on.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        server_id: Callable[[], str],
        make_secret: Callable[[str, str], str] = lambda *_: secrets.token_urlsafe(32),
        clock: Clock = utc_now,
        on_bad: Callable[[StoreError], None] | None = None,
    ) -> None:
        self._server_id = server_id
        self._make_secret = make_secret
        self._clock = clock
        self._store = store_at(
            data_dir / FILE_NAME, version=VERSION, empty=_empty, check=_check, private=True, on_bad=on_bad
        )

    def all(self) -> list[Session]:
        """Return the sessions that aren't over, in the order in which they began.

        Raises:
            StoreError: The file can't be read.
        """
        now = self._clock()
        sessions = (_session(own, entry) for own, entry in self._store.read()["sessions"].items())
        return [session for session in sessions if _lasts(session, now)]

    def find(self, session_id: str) -> Session | None:
        """Return a session that isn't over; None if there is none of that id.

        Raises:
            StoreError: The file can't be read.
        """
        return self._found(self._store.read(), session_id)

    def begin(self, user: User, address: str, *, with_token: bool) -> Session:
        """Begin a session of a user who has just logged in, and return it with its token.

        Args:
            user: The user.
            address: The client's IP address.
            with_token: Whether it may be resumed. Otherwise it lasts as long as its connection, which must `end` it.

        Raises:
            StoreError: The file can't be read or written.
        """
        server_id = self._server_id()
        now = self._clock()
        session_id = secrets.token_hex(6)
        token = f"{session_id}.{self._make_secret(session_id, user.name)}" if with_token else None
        with self._changed() as content:
            sessions = content["sessions"]
            own = [each for each, entry in sessions.items() if entry["user"] == user.name]
            for oldest in own[: max(0, len(own) - MAX_PER_USER + 1)]:
                del sessions[oldest]
            entry = {
                "user": user.name,
                "credential_generation": user.credential_generation,
                "server_id": server_id,
                "address": address,
                "created": written_moment(now),
                "last_used": written_moment(now),
                "tokens": {} if token is None else {_sha256(token): ""},
            }
            sessions[session_id] = entry
            return _session(session_id, entry, token)

    def resume(self, token: str, address: str, *, is_current: Callable[[Session], bool]) -> Session:
        """Go on with a session, and return it with its next token.

        Args:
            token: The token that was shown.
            address: The client's IP address.
            is_current: Whether the session's user may still come in with it.

        Raises:
            TokenRefusedError: The token is not one that could be shown now.
            StoreError: The file can't be read or written.
        """
        match = _TOKEN.fullmatch(token)
        session = None if match is None else self.find(match[1])
        if session is None or not is_current(session) or session.server_id != self._server_id():
            raise _refused()
        shown = _sha256(token)
        next_token = f"{session.id}.{self._make_secret(session.id, session.user)}"
        with self._changed() as content:
            entry = content["sessions"].get(session.id)
            if entry is None or not any(hmac.compare_digest(shown, own) for own in entry["tokens"]):
                raise _refused()
            _rotate(entry["tokens"], shown, _sha256(next_token))
            _use(entry, self._clock(), address)
            return _session(session.id, entry, next_token)

    def settle(self, *, used: Mapping[str, str], ended: Collection[str] = ()) -> None:
        """Note, in one change, which sessions are used, and end others; doesn't wait long for other changes.

        It is written once a minute at most that a session is used.

        Args:
            used: The address from which a session is used, by the session's id.
            ended: The ids of sessions to end; one that is over already doesn't matter.

        Raises:
            StoreError: The file can't be read or written.
        """
        now = self._clock()
        known = self._store.read()["sessions"]
        stale = [own for own in used if own in known and not _is_fresh(read_moment(known[own]["last_used"]), now)]
        if not stale and not any(own in known for own in ended):
            return
        with self._changed(lock_timeout_s=SETTLE_S) as content:
            sessions = content["sessions"]
            for own in ended:
                sessions.pop(own, None)
            for own in stale:
                if own in sessions:
                    _use(sessions[own], now, used[own])

    def end(self, session_id: str) -> Session:
        """End a session, and return it.

        Raises:
            UnknownSessionError: There is none of that id.
            StoreError: The file can't be read or written.
        """
        with self._changed() as content:
            session = self._found(content, session_id)
            if session is None:
                raise UnknownSessionError(
                    f"There is no session {session_id!r}: 'sockctl sessions list' shows those that there are."
                )
            del content["sessions"][session_id]
            return session

    def end_all(self, user: str | None = None) -> list[Session]:
        """End all sessions of a user, or of everybody, and return them.

        Raises:
            StoreError: The file can't be read or written.
        """
        with self._changed() as content:
            sessions = content["sessions"]
            ended = [_session(own, entry) for own, entry in sessions.items() if user is None or entry["user"] == user]
            for session in ended:
                del sessions[session.id]
            return ended

    @contextlib.contextmanager
    def _changed(self, *, lock_timeout_s: float | None = None) -> Iterator[Content]:
        now = self._clock()
        with self._store.update(lock_timeout_s=lock_timeout_s) as content:
            sessions = content["sessions"]
            for session in [_session(own, entry) for own, entry in sessions.items()]:
                if not _lasts(session, now):
                    del sessions[session.id]
                elif session.last_used > now:
                    _use(sessions[session.id], now, session.address)
            yield content

    def _found(self, content: Content, session_id: str) -> Session | None:
        entry = content["sessions"].get(session_id)
        session = None if entry is None else _session(session_id, entry)
        return session if session is not None and _lasts(session, self._clock()) else None


def _empty() -> Content:
    return {"sessions": {}}


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _refused() -> TokenRefusedError:
    return TokenRefusedError("That session is over: log in with your password.")


def _rotate(tokens: dict[str, str], shown: str, following: str) -> None:
    """Let those die that came before `shown`, and add one that comes after it."""
    before = tokens[shown]
    while before:
        before = tokens.pop(before, "")
    tokens[following] = shown
    for oldest in [own for own in tokens if own not in (shown, following)][: max(0, len(tokens) - MAX_TOKENS)]:
        del tokens[oldest]


def _use(entry: dict[str, Any], now: datetime.datetime, address: str) -> None:
    entry["last_used"] = written_moment(now)
    entry["address"] = address
    if read_moment(entry["created"]) > now:  # the clock was ahead: it must not outlive its time by that
        entry["created"] = written_moment(now)


def _is_fresh(last_used: datetime.datetime, now: datetime.datetime) -> bool:
    return datetime.timedelta() <= now - last_used < WRITTEN_EVERY  # one in the future is set right


def _lasts(session: Session, now: datetime.datetime) -> bool:
    return now < session.expires


def _session(session_id: str, entry: dict[str, Any], token: str | None = None) -> Session:
    return Session(
        session_id,
        entry["user"],
        entry["credential_generation"],
        entry["server_id"],
        entry["address"],
        read_moment(entry["created"]),
        read_moment(entry["last_used"]),
        token,
    )


def _check(content: Content) -> None:
    """Refuse a file that some other hand has changed into something else."""
    sessions = content.get("sessions")
    if type(sessions) is not dict:
        raise StoreFormatError("sessions is no object")
    for session_id, entry in sessions.items():
        if type(entry) is not dict:
            raise StoreFormatError(f"{json_place('sessions', session_id)} is no object")
        _check_entry(session_id, entry)


def _check_entry(session_id: str, entry: dict[str, Any]) -> None:
    for key in _TEXTS:
        if type(entry.get(key)) is not str:
            raise StoreFormatError(f"{json_place('sessions', session_id, key)} is no text")
    try:
        ipaddress.ip_address(entry["address"])
    except ValueError as error:
        raise StoreFormatError(f"{json_place('sessions', session_id, 'address')} is no IP address") from error
    if type(entry.get("credential_generation")) is not int:
        raise StoreFormatError(f"{json_place('sessions', session_id, 'credential_generation')} is no whole number")
    for key in ("created", "last_used"):
        check_moment(entry.get(key), "sessions", session_id, key)
    tokens = entry.get("tokens")
    if type(tokens) is not dict:
        raise StoreFormatError(f"{json_place('sessions', session_id, 'tokens')} is no object")
    for own, before in tokens.items():
        if not _SHA256.fullmatch(own) or type(before) is not str or (before and not _SHA256.fullmatch(before)):
            raise StoreFormatError(f"{json_place('sessions', session_id, 'tokens')} holds what is no SHA-256")
