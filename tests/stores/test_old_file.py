"""The JSON file of an earlier version, whose content the database takes over once."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sockctl.errors import StoreFormatError
from sockctl.stores.sqlite_store import SqliteStore
from tests.support.databases import add, names, store_at
from tests.support.running import UNMEASURED


def test_an_old_file_is_taken_over_by_the_first_use(store: SqliteStore, path: Path) -> None:
    path.parent.mkdir()
    old = path.with_name("entries.json")
    old.write_text(json.dumps({"version": 1, "entries": ["ann", "bob"]}))
    assert names(store) == ["ann", "bob"]
    assert not old.exists()
    assert json.loads(old.with_name("entries.json.old").read_text())["entries"] == ["ann", "bob"]
    add(store, "carl")
    assert names(store_at(path)) == ["ann", "bob", "carl"]


def test_an_old_file_that_can_not_be_used_is_refused_and_left(store: SqliteStore, path: Path) -> None:
    path.parent.mkdir()
    old = path.with_name("entries.json")
    old.write_text('{"version": 1, "entries": {}}')
    with pytest.raises(StoreFormatError, match=r"entries\.json is not of the right form: entries is no array"):
        names(store)
    with pytest.raises(StoreFormatError):
        add(store, "ann")
    assert old.read_text() == '{"version": 1, "entries": {}}'


TAKER = """
import os, sys
from pathlib import Path
from tests.support.databases import names, store_at
if sys.argv[2] == "killed":
    Path.rename = lambda *_: os.kill(os.getpid(), 9)
print(len(names(store_at(Path(sys.argv[1])))))
"""


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_takes_over(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("entries.json").write_text(json.dumps({"version": 1, "entries": [str(n) for n in range(1000)]}))

    def take_over(how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", TAKER, str(path), how]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=UNMEASURED)

    assert take_over("killed").returncode == -signal.SIGKILL
    assert path.with_name("entries.json").exists()
    assert take_over("whole").stdout == "1000\n"
    assert not path.with_name("entries.json").exists()
