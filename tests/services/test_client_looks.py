"""Tests for `sockctl.services.client_looks`."""

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from sockctl.protocol.names import make_name_key
from sockctl.services.client_looks import find_look_alike, save_look

CYRILLIC = "\u0430\u0441\u0430"
"""It looks like ``aca``."""


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.execute("PRAGMA foreign_keys = ON")
        made.execute("CREATE TABLE clients (number INTEGER PRIMARY KEY, address TEXT, name TEXT, name_key TEXT)")
        yield made


def add(database: sqlite3.Connection, address: str, name: str) -> None:
    row = (address, name, make_name_key(name))
    database.execute("INSERT INTO clients (address, name, name_key) VALUES (?, ?, ?)", row)
    save_look(database, name)


def has_looks(database: sqlite3.Connection) -> bool:
    return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = 'looks'").fetchall())


def test_names_in_ascii_are_not_compared(database: sqlite3.Connection) -> None:
    add(database, "a", "rn")
    assert find_look_alike(database, "m", but="") == ""
    assert not has_looks(database)


def test_the_first_name_beyond_ascii_compares_all_that_are_known(database: sqlite3.Connection) -> None:
    add(database, "a", "aca")
    assert find_look_alike(database, "José", but="") == ""
    assert has_looks(database)
    assert find_look_alike(database, CYRILLIC, but="") == "aca"


def test_a_client_may_look_like_itself(database: sqlite3.Connection) -> None:
    add(database, "a", "aca")
    assert find_look_alike(database, CYRILLIC, but="a") == ""
    assert find_look_alike(database, CYRILLIC, but="b") == "aca"


def test_a_name_in_ascii_may_look_like_one_beyond_it_only(database: sqlite3.Connection) -> None:
    find_look_alike(database, "José", but="")
    add(database, "a", "rn")
    assert find_look_alike(database, "m", but="") == "", "they look alike, and both are ASCII"
    add(database, "b", CYRILLIC)
    assert find_look_alike(database, "aca", but="") == CYRILLIC


def test_a_new_look_takes_the_place_of_the_old_one(database: sqlite3.Connection) -> None:
    find_look_alike(database, "José", but="")
    add(database, "a", CYRILLIC)
    database.execute("UPDATE clients SET name = 'bob', name_key = ?", (make_name_key("bob"),))
    save_look(database, "bob")
    assert find_look_alike(database, "aca", but="") == ""
    assert database.execute("SELECT count(DISTINCT skeleton) FROM looks").fetchone() == (1,)


def test_the_look_goes_with_its_client(database: sqlite3.Connection) -> None:
    find_look_alike(database, "José", but="")
    add(database, "a", CYRILLIC)
    database.execute("DELETE FROM clients")
    assert database.execute("SELECT count(*) FROM looks").fetchone() == (0,)
