"""Where the sessions are kept: the interface, in rows of `session.COLUMNS`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from sockctl.accounts.session import ABSOLUTE, IDLE
from sockctl.accounts.session_tokens import MAX_TOKENS, REPLACED_S

Row = tuple[Any, ...]
"""A session: its columns, as `session.COLUMNS` names them."""

MAX_PER_USER = 10
"""The most sessions of one user; a further one replaces the oldest."""
MAX_SESSIONS = 100_000
"""The most sessions of all users; a further one replaces the one that would expire first."""
TIDIED_AT_ONCE = 1_000
"""Sessions that one change deletes, so that no login waits for long."""
LIMITS: Mapping[str, int] = {
    "idle": int(IDLE.total_seconds()),
    "absolute": int(ABSOLUTE.total_seconds()),
    "per_user": MAX_PER_USER,
    "all": MAX_SESSIONS,
    "tokens": MAX_TOKENS,
    "replaced": REPLACED_S,
    "tidied": TIDIED_AT_ONCE,
}
"""The limits for a store that isn't of this room: seconds, and counts."""


Rotation = tuple[Row | None, bool]
"""What became of a session whose token a client has shown.

First the session, which the next token resumes; None where the token is refused. Then whether the session has ended,
because a newer token had replaced this one.
"""


class SessionStore(Protocol):
    """The sessions. Any thread may use it; methods may block. Moments are whole seconds since 1970.

    Each method raises a StoreError where the store can't be used.
    """

    def list_rows(self, user: str | None, now: int) -> list[Row]:
        """Return the sessions of a user, or of everybody, that aren't over, in the order in which they began."""
        ...

    def find_rows(self, session_ids: Collection[str], now: int) -> list[Row]:
        """Return those of the sessions that aren't over."""
        ...

    def list_ended(self, mark: str) -> tuple[str, list[str] | None]:
        """Return the present mark, and the ids of the sessions that were deleted since the given one.

        Where the store can't tell, there is None in place of the ids. A session that nobody uses ends without being
        deleted.
        """
        ...

    def begin(self, row: Row, tokens: Sequence[bytes]) -> None:
        """Save a new session, and delete others beyond the limits.

        Args:
            row: The session.
            tokens: The SHA-256 of each of its tokens, none of which a client has shown yet.
        """
        ...

    def rotate(
        self, session_id: str, shown: bytes, following: bytes, *, given: bool, address: str, now: int
    ) -> Rotation:
        """Resume a session, in one atomic step; see `session_tokens` for the rules.

        Args:
            session_id: The session.
            shown: The SHA-256 of the token that the client has shown.
            following: The SHA-256 of the next one.
            given: Whether the shown token was one of this session; it then ends the session unless it is valid.
            address: The client's IP address.
            now: The time.
        """
        ...

    def settle(self, used: Mapping[str, str], ended: Collection[str], now: int) -> None:
        """Save uses of sessions by the addresses of their clients, and delete other sessions; waits 0.5 s at most."""
        ...

    def tidy(self, now: int) -> None:
        """Delete sessions that are over, and correct those that a fast clock has written; waits 0.5 s at most."""
        ...

    def end(self, session_id: str) -> bool:
        """Delete a session; return whether it was there."""
        ...

    def end_all(self, user: str | None) -> list[Row]:
        """Delete the sessions of a user, or of everybody; return them, those that were over included."""
        ...

    def close(self) -> None:
        """Close what is open; the next use opens it again."""
        ...
