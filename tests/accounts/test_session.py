"""One session: when it ends, and what others are shown of it."""

import datetime
import sqlite3
from contextlib import closing

import pytest

from sockctl.accounts.session import ABSOLUTE, COLUMNS, IDLE, SCHEMA, Session, read_session
from tests.support.clock import NOON

START = int(NOON.timestamp())


def session(last_used: datetime.datetime = NOON) -> Session:
    return Session("0123456789ab", "ann", 3, "5" * 32, "192.0.2.7", NOON, last_used, token="the token")


def test_an_unused_session_ends_after_a_day() -> None:
    assert session().expires == NOON + datetime.timedelta(hours=24)


def test_no_use_lengthens_a_session_beyond_a_month() -> None:
    assert session(NOON + datetime.timedelta(days=29, hours=23)).expires == NOON + datetime.timedelta(days=30)


def test_the_token_is_shown_nowhere() -> None:
    one = session()
    assert "the token" not in repr(one)
    assert one.as_fields == {
        "id": "0123456789ab",
        "user": "ann",
        "address": "192.0.2.7",
        "created": "2026-01-31T12:00:00Z",
        "last_used": "2026-01-31T12:00:00Z",
        "expires": "2026-02-01T12:00:00Z",
    }


@pytest.mark.parametrize("used_after", [datetime.timedelta(0), IDLE, ABSOLUTE - IDLE / 2])
def test_the_database_reckons_the_same_end(used_after: datetime.timedelta) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in SCHEMA:
            database.execute(statement)
        database.execute(
            f"INSERT INTO sessions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  the names are constants
            ("0123456789ab", "ann", 3, "5" * 32, "192.0.2.7", START, START + int(used_after.total_seconds())),
        )
        row = database.execute(f"SELECT {COLUMNS}, expires FROM sessions").fetchone()  # noqa: S608  as above
    *columns, expires = row
    one = read_session(tuple(columns), "the token")
    assert one == session(NOON + used_after)
    assert one.expires.timestamp() == expires
