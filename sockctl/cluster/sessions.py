"""The sessions in an engine (see ``accounts.lua``); nothing is kept here."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sockctl.cluster.engine import Word
from sockctl.cluster.engine_pool import EnginePool
from sockctl.cluster.keys import ACCOUNTS, SESSION_ENDS, SESSIONS, SESSIONS_ENDED, SESSIONS_OF_USERS, TOKENS
from sockctl.errors import EngineReplyError

Row = tuple[Any, ...]
T = TypeVar("T")

AT_ONCE = 500
"""Sessions of one request, so that the engine answers others soon."""
_KEYS = (ACCOUNTS, SESSIONS, TOKENS, SESSIONS_OF_USERS, SESSION_ENDS, SESSIONS_ENDED)
_COLUMNS = 7
"""The columns of a row; the engine has a number behind them."""
_CREATED, _LAST_USED = 5, 6


class SharedSessions:
    """The sessions, a `SessionStore`. Any thread may use it; each method blocks, and may raise an EngineError.

    Args:
        pool: The connections to the engine.
        limits: How long sessions last, and how many there may be.
    """

    def __init__(self, pool: EnginePool, *, limits: Mapping[str, int]) -> None:
        self._pool = pool
        self._limits = limits
        self._limits_text = json.dumps(dict(limits))

    def list_rows(self, user: str | None, now: int) -> list[Row]:
        """Return the sessions of a user, or of everybody, that aren't over, in the order in which they began."""
        start, end = ("-", "+") if user is None else (f"[{user}\0", f"({user}\1")
        numbered: list[tuple[int, Row]] = []
        while True:
            last, *texts = self._call("sessions", start, end, AT_ONCE)
            numbered += [(values[_COLUMNS], tuple(values[:_COLUMNS])) for values in map(json.loads, texts)]
            if len(texts) < AT_ONCE:
                break
            start = f"({last.decode()}"
        return [row for _, row in sorted(numbered) if self._lasts(row, now)]

    def find_rows(self, session_ids: Collection[str], now: int) -> list[Row]:
        """Return those of the sessions that aren't over."""
        rows: list[Row] = []
        for part in _cut(list(session_ids)):
            rows += [_read_row(text) for text in self._call("find", json.dumps(part))]
        return [row for row in rows if self._lasts(row, now)]

    def list_ended(self, mark: str) -> tuple[str, list[str] | None]:
        """Return the present mark, and the ids of the sessions that were deleted since the given one."""
        now, is_known, *ended = self._call("ended", mark)
        return now.decode(), [one.decode() for one in ended] if is_known else None

    def begin(self, row: Row, tokens: Sequence[bytes]) -> None:
        """Save a new session, and delete others beyond the limits."""
        self._call("begin", json.dumps(row), json.dumps([one.hex() for one in tokens]), self._limits_text)

    def rotate(
        self, session_id: str, shown: bytes, following: bytes, *, given: bool, address: str, now: int
    ) -> tuple[Row | None, bool]:
        """Resume a session, in one step; return it, and whether it has ended."""
        words = session_id, shown.hex(), following.hex(), int(given), address, now, self._limits_text
        try:
            text = self._call("rotate", *words)
        except EngineReplyError as error:
            if error.code != "ENDED":
                raise
            return None, True
        return (_read_row(text) if text else None), False

    def settle(self, used: Mapping[str, str], ended: Collection[str], now: int) -> None:
        """Save uses of sessions by the addresses of their clients, and delete other sessions."""
        for part in _cut(list(ended)):
            self._call("settle", "{}", json.dumps(part), now, self._limits_text)
        for pairs in _cut(list(used.items())):
            self._call("settle", json.dumps(dict(pairs)), "[]", now, self._limits_text)

    def tidy(self, now: int) -> None:
        """Delete sessions that are over, and correct those that a fast clock has written."""
        self._call("tidy", now, self._limits["tidied"], self._limits_text)

    def end(self, session_id: str) -> bool:
        """Delete a session; return whether it was there."""
        return bool(self._call("end", session_id))

    def end_all(self, user: str | None) -> list[Row]:
        """Delete the sessions of a user, or of everybody; return them."""
        rows: list[Row] = []
        while True:
            texts = self._call("end_all", user or "", AT_ONCE)
            rows += map(_read_row, texts)
            if len(texts) < AT_ONCE:
                return rows

    def close(self) -> None:
        """Close the idle connections; the next request opens another one."""
        self._pool.close()

    def _call(self, name: str, *arguments: Word) -> Any:
        return self._pool.call(name, _KEYS, *arguments)

    def _lasts(self, row: Row, now: int) -> bool:
        return bool(now < min(row[_LAST_USED] + self._limits["idle"], row[_CREATED] + self._limits["absolute"]))


def _read_row(text: bytes) -> Row:
    return tuple(json.loads(text)[:_COLUMNS])


def _cut(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))
