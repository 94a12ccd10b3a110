"""A small database of names, for the tests of stores and the processes that they start."""

import sqlite3
from pathlib import Path
from typing import Any

from sockctl.errors import StoreFormatError
from sockctl.stores.old_file import OldFile
from sockctl.stores.sqlite_store import SqliteStore


def check(content: dict[str, Any]) -> None:
    if type(content.get("entries")) is not list:
        raise StoreFormatError("entries is no array")


PATIENCE_S = 60.0
"""How long a change waits for others: a busy machine, and a slow disk, let many of them take long."""


def insert(database: sqlite3.Connection, content: dict[str, Any]) -> None:
    for name in content["entries"]:
        database.execute("INSERT OR IGNORE INTO entries VALUES (?)", (name,))


def store_at(path: Path, *, version: int = 2, lock_timeout_s: float = PATIENCE_S, private: bool = True) -> SqliteStore:
    return SqliteStore(
        path,
        version=version,
        schema=("CREATE TABLE entries (name TEXT NOT NULL UNIQUE)",),
        old_file=OldFile(path.with_name("entries.json"), 1, check, insert),
        lock_timeout_s=lock_timeout_s,
        private=private,
    )


def add(store: SqliteStore, *names: str) -> None:
    with store.update() as database:
        database.executemany("INSERT INTO entries VALUES (?)", [(name,) for name in names])


def names(store: SqliteStore) -> list[str]:
    return [name for (name,) in store.fetch_rows("SELECT name FROM entries ORDER BY rowid")]
