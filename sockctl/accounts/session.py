"""One session, and the tables of ``sessions.db``."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from sockctl.accounts.session_tokens import TOKEN_SCHEMA
from sockctl.stores.timestamps import format_timestamp, read_seconds

IDLE = datetime.timedelta(hours=24)
"""A session that no client has used for so long is over."""
ABSOLUTE = datetime.timedelta(days=30)
"""No session lasts longer."""
_IDLE_S, _ABSOLUTE_S = int(IDLE.total_seconds()), int(ABSOLUTE.total_seconds())
SCHEMA = (
    f"""CREATE TABLE sessions (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        user TEXT NOT NULL,
        credential_generation INTEGER NOT NULL,
        server_id TEXT NOT NULL,
        address TEXT NOT NULL,
        created INTEGER NOT NULL,
        last_used INTEGER NOT NULL,
        expires INTEGER NOT NULL
            GENERATED ALWAYS AS (min(last_used + {_IDLE_S}, created + {_ABSOLUTE_S})) STORED
    )""",
    "CREATE INDEX sessions_of_user ON sessions (user)",
    "CREATE INDEX sessions_by_end ON sessions (expires)",
    *TOKEN_SCHEMA,
)
"""The statements that make an empty database."""
COLUMNS = "id, user, credential_generation, server_id, address, created, last_used"
"""The columns of a session, for `read_session`."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session.

    Attributes:
        id: Its id; no secret.
        user: The user's name.
        credential_generation: The user's generation when it began.
        server_id: The server that began it.
        address: The IP address that used it last.
        created: When it began.
        last_used: When it was used last, to the minute.
        token: The token that resumes it next; None unless the server has just made it.
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
        """When it ends unless a client uses it again."""
        return min(self.last_used + IDLE, self.created + ABSOLUTE)

    @property
    def as_fields(self) -> dict[str, str]:
        """The session as JSON for others: without the token; times as RFC 3339 in UTC."""
        return {
            "id": self.id,
            "user": self.user,
            "address": self.address,
            "created": format_timestamp(self.created),
            "last_used": format_timestamp(self.last_used),
            "expires": format_timestamp(self.expires),
        }


def read_session(row: tuple[Any, ...], token: str | None = None) -> Session:
    """Return the session of a row with `COLUMNS`, and with its new token."""
    session_id, user, credential_generation, server_id, address, created, last_used = row
    return Session(
        session_id,
        user,
        credential_generation,
        server_id,
        address,
        read_seconds(created),
        read_seconds(last_used),
        token,
    )
