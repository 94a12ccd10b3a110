"""The tokens of a session: each resumes it once, and its copies are told from it."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from sockctl.accounts.session_tokens import (
    MAX_TOKENS,
    REPLACED_S,
    TOKEN_SCHEMA,
    give_token,
    hash_token,
    parse_session_id,
    use_token,
)

NOW = 1_800_000_000
SESSION, OTHER = 1, 2


def made() -> str:
    return f"0123456789ab.{secrets.token_urlsafe(32)}"


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as one:
        one.execute("CREATE TABLE sessions (number INTEGER PRIMARY KEY)")
        one.executemany("INSERT INTO sessions VALUES (?)", [(SESSION,), (OTHER,)])
        for statement in TOKEN_SCHEMA:
            one.execute(statement)
        yield one


def given(database: sqlite3.Connection, session: int = SESSION) -> str:
    token = made()
    give_token(database, session, hash_token(token))
    return token


def used(database: sqlite3.Connection, session: int, token: str, now: int) -> bool:
    return use_token(database, session, hash_token(token), now)


def test_a_token_names_its_session() -> None:
    assert parse_session_id(made()) == "0123456789ab"


@pytest.mark.parametrize(
    "text", ["", "0123456789ab", "0123456789ab.short", f"XYZ3456789ab.{'a' * 43}", f"0123456789ab.{'a' * 43}\n"]
)
def test_a_text_that_is_no_token(text: str) -> None:
    assert parse_session_id(text) == ""


def test_a_token_counts_until_a_newer_one_replaces_it(database: sqlite3.Connection) -> None:
    first = given(database)
    assert used(database, SESSION, first, NOW)
    lost = given(database)  # on its way to the client
    assert used(database, SESSION, first, NOW), "the first one still counts"
    second = given(database)
    assert used(database, SESSION, second, NOW)
    assert used(database, SESSION, lost, NOW + REPLACED_S - 1), "two clients may be on their way"
    assert not used(database, SESSION, first, NOW + REPLACED_S), "a copy is in use"
    assert used(database, SESSION, second, NOW + REPLACED_S)


def test_a_token_counts_for_its_own_session_only(database: sqlite3.Connection) -> None:
    token = given(database)
    assert not used(database, OTHER, token, NOW)
    assert not used(database, SESSION, made(), NOW)
    assert used(database, SESSION, token, NOW)


def test_a_session_has_so_many_unused_tokens(database: sqlite3.Connection) -> None:
    others = given(database, OTHER)
    tokens = [given(database) for _ in range(MAX_TOKENS + 2)]
    assert [used(database, SESSION, token, NOW) for token in tokens[:3]] == [False, False, True]
    assert used(database, OTHER, others, NOW), "another session's tokens stay"


def test_no_token_is_kept_in_clear(database: sqlite3.Connection) -> None:
    token = given(database)
    dump = "\n".join(database.iterdump())
    secret = token.partition(".")[2]
    assert secret not in dump
    assert secret.encode().hex() not in dump.lower()
