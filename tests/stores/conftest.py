"""A database of entries, for those tests that have no store of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.stores.sqlite_store import SqliteStore
from tests.support.databases import store_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "entries.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = store_at(path)
    yield made
    made.close()
