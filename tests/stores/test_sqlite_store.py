"""A database that many change at once, that is killed while it writes, and whose disk is full."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sockctl.errors import (
    StoreExposedError,
    StoreFormatError,
    StoreLockedError,
    StoreReadError,
    StoreWriteError,
)
from sockctl.stores.files import take_lock
from sockctl.stores.sqlite_store import SqliteStore
from tests.support.databases import add, names, store_at
from tests.support.running import UNMEASURED

KILLS = int(os.environ.get("SOCKCTL_SOAK_KILLS", "40"))
TIMEOUT_S = 20.0


def test_what_is_not_there_is_empty_and_stays_away(store: SqliteStore, path: Path) -> None:
    assert names(store) == []
    assert not path.parent.exists()


def test_a_change_is_kept_for_the_user_alone(store: SqliteStore, path: Path) -> None:
    add(store, "ann", "bob")
    assert names(store) == names(store_at(path)) == ["ann", "bob"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == dict.fromkeys(("entries.db", "entries.db-shm", "entries.db-wal", "entries.db.lock"), 0o600)
    store.close()
    assert sorted(one.name for one in path.parent.iterdir()) == ["entries.db", "entries.db.lock"]
    assert names(store) == ["ann", "bob"], "it is opened again"


def test_an_exception_changes_nothing(store: SqliteStore) -> None:
    add(store, "ann")

    def fail() -> None:
        with store.update() as database:
            database.execute("INSERT INTO entries VALUES ('bob')")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(StoreFormatError, match="UNIQUE"):
        add(store, "bob", "ann")
    assert names(store) == ["ann"]


def test_threads(store: SqliteStore) -> None:
    def add_ten(first: int) -> None:
        for number in range(10):
            add(store, f"{first}-{number}")
            assert f"{first}-{number}" in names(store)

    threads = [threading.Thread(target=add_ten, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * TIMEOUT_S)
    assert len(names(store)) == 80


WRITER = """
import sys
from pathlib import Path
from tests.support.databases import add, store_at
store = store_at(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    add(store, f"{sys.argv[2]}-{number}")
    print(f"{sys.argv[2]}-{number}", flush=True)
"""


def writer(path: Path, first: str, number: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), first, str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=UNMEASURED)


@pytest.mark.slow
def test_processes(store: SqliteStore, path: Path) -> None:
    writers = [writer(path, str(first), 25) for first in range(8)]
    assert [one.communicate(timeout=60)[0].count("\n") for one in writers] == [25] * 8
    assert len(names(store)) == 200


def test_a_change_by_another_process_is_seen(store: SqliteStore, path: Path) -> None:
    add(store, "ann")
    assert names(store) == ["ann"]
    writer(path, "bob", 1).communicate(timeout=60)
    assert names(store) == ["ann", "bob-0"]


def test_a_file_that_is_removed_or_replaced_is_no_more(store: SqliteStore, path: Path) -> None:
    add(store, "ann")
    other = store_at(path.with_name("other.db"))
    add(other, "bob")
    other.close()
    for one in path.parent.glob("entries.db*"):
        one.unlink()
    assert names(store) == []
    add(store, "carl")
    assert names(store) == ["carl"]
    store.close()
    path.with_name("other.db").rename(path)
    assert names(store) == ["bob"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_writers(path: Path) -> None:
    """Whatever moment a writer is killed at, what it had acknowledged is there, and the file is whole."""
    chance = random.Random(9)
    acknowledged: set[str] = set()
    for kill in range(KILLS):
        running = writer(path, str(kill), 1_000_000)
        assert running.stdout is not None
        acknowledged.add(running.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.02))  # the random moment is what is tested
        running.send_signal(signal.SIGKILL)
        acknowledged.update(running.stdout.read().split("\n")[:-1])  # a line without its end was not acknowledged
        running.wait(TIMEOUT_S)
        running.stdout.close()
        store = store_at(path)
        assert acknowledged <= set(names(store)), "an acknowledged entry is missing"
        if kill % 2:
            store.close()  # else the next writer finds another one that reads
    assert len(acknowledged) > KILLS
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_writers_that_are_killed_while_others_write(path: Path) -> None:
    chance = random.Random(10)
    for round_ in range(max(2, KILLS // 20)):
        writers = [writer(path, f"{round_}-{number}", 1_000_000) for number in range(4)]
        for one in writers:
            assert one.stdout is not None
            one.stdout.readline()
        acknowledged: list[str] = []
        for one in writers:
            time.sleep(chance.uniform(0, 0.05))  # the random moment is what is tested
            one.kill()
        for one in writers:
            assert one.stdout is not None
            with one.stdout:  # not by communicate(): it would miss what readline() has read ahead
                acknowledged += one.stdout.read().split("\n")[:-1]
            one.wait(TIMEOUT_S)
        assert set(acknowledged) <= set(names(store_at(path)))
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


LIMITED = """
import resource, sys
from pathlib import Path
from tests.support.databases import add, names, store_at
store = store_at(Path(sys.argv[1]))
add(store, "ann")
resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
try:
    for number in range(10_000):
        add(store, f"{number}" + "x" * 2000)
except Exception as error:
    print(number, type(error).__name__, error)
assert len(names(store)) == 1 + number, "what was acknowledged"
"""


def test_a_file_that_may_not_grow(path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    number, kind, error = run.stdout.split(maxsplit=2)
    assert kind == "StoreWriteError"
    assert error.startswith(f"{path} can't be written: disk I/O error. It is as it was;")
    assert len(names(store_at(path))) == 1 + int(number)


FULL = """
set -e
mount -t tmpfs -o size=400k tmpfs "$1"
"$2" -c 'import sys
from pathlib import Path
from tests.support.databases import add, names, store_at
path = Path(sys.argv[1]) / "entries.db"
ballast = path.with_name("ballast")
ballast.write_bytes(bytes(100_000))
store = store_at(path, private=False)
try:
    for number in range(10_000):
        add(store, f"{number}" + "x" * 2000)
except Exception as error:
    print(number, type(error).__name__, error)
assert len(names(store)) == number, "what was acknowledged"
ballast.unlink()
add(store, "the last")
assert len(names(store_at(path, private=False))) == 1 + number' "$1"
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root may mount a small disk, by unshare"
)
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    command = ["unshare", "-m", "sh", "-c", FULL, "sh", str(tmp_path), sys.executable]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "mount" in run.stderr:
        pytest.skip(f"no small disk can be mounted here: {run.stderr}")
    number, kind, error = run.stdout.split(maxsplit=2)
    assert (run.stderr, kind) == ("", "StoreWriteError")
    assert "entries.db can't be written: database or disk is full" in error
    assert int(number) > 5


def test_a_lock_that_another_process_holds(path: Path) -> None:
    store = store_at(path, lock_timeout_s=0.1)
    add(store, "ann")
    descriptor = take_lock(f"{path}.lock", 0)
    try:
        with pytest.raises(StoreLockedError, match=r"entries\.db\.lock"):
            add(store, "bob")
        with pytest.raises(StoreLockedError), store.update(lock_timeout_s=0):
            pass
        assert names(store) == ["ann"], "readers wait for nobody"
    finally:
        os.close(descriptor)
    add(store, "bob")


def test_a_thread_that_changes_for_long(path: Path) -> None:
    store = store_at(path, lock_timeout_s=0.1)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.update():
            entered.set()
            leave.wait(TIMEOUT_S)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(TIMEOUT_S)
    with pytest.raises(StoreLockedError):
        add(store, "bob")
    leave.set()
    holder.join(TIMEOUT_S)


@pytest.mark.parametrize("content", [b"oops", b"x" * 8192, b"SQLite format 3\x00" + b"\xff" * 8192])
def test_what_is_no_database_is_refused_and_left(store: SqliteStore, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(StoreFormatError, match=r"entries\.db is not a database of sockctl's: .* move it away"):
        names(store)
    with pytest.raises(StoreFormatError):
        add(store, "ann")
    assert path.read_bytes() == content


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    with contextlib.closing(store_at(path, version=3)) as newer:
        add(newer, "ann")
    with pytest.raises(StoreFormatError, match=r"newer sockctl \(version 3, this one knows up to 2\)"):
        names(store_at(path))
    with pytest.raises(StoreFormatError, match="newer"):
        add(store_at(path), "bob")


def test_a_database_of_another_program_is_refused_and_left(store: SqliteStore, path: Path) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notes (text TEXT)")
    path.chmod(0o600)
    before = path.read_bytes()
    for use in (names, lambda store: add(store, "ann")):
        with pytest.raises(StoreFormatError, match=r"of another program's\. It was left as it is"):
            use(store)
    assert path.read_bytes() == before


def test_an_empty_file_is_what_a_killed_writer_left(store: SqliteStore, path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    assert names(store) == []
    add(store, "ann")
    assert names(store) == ["ann"]


def test_a_file_that_others_may_read(store: SqliteStore, path: Path) -> None:
    add(store, "ann")
    path.chmod(0o640)
    for use in (names, add):
        with pytest.raises(StoreExposedError, match=r"0640.*chmod 600"):
            use(store)
    assert names(store_at(path, private=False)) == ["ann"]


def test_a_private_file_that_others_may_replace_is_refused(path: Path) -> None:
    add(store_at(path), "ann")
    path.parent.chmod(0o777)
    with pytest.raises(StoreExposedError, match=rf"others may write to {path.parent} .*chmod go-w {path.parent}$"):
        names(store_at(path))
    with pytest.raises(StoreExposedError):
        add(store_at(path), "bob")
    path.parent.chmod(0o700)
    assert names(store_at(path)) == ["ann"]


def test_a_private_file_beside_which_others_may_put_a_write_ahead_log_is_refused(path: Path) -> None:
    add(store_at(path), "ann")
    path.parent.chmod(0o1777)
    with pytest.raises(StoreExposedError, match=rf"others may put files beside it in {path.parent} .*another place"):
        names(store_at(path))
    path.parent.chmod(0o700)
    path.parent.parent.chmod(0o1777)
    assert names(store_at(path)) == ["ann"], "what is above may be sticky"


def test_what_is_no_file(store: SqliteStore, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreReadError, match="no regular file"):
        names(store)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    store = store_at(tmp_path / "data" / "entries.db")
    with pytest.raises(StoreReadError, match="Not a directory"):
        names(store)
    with pytest.raises(StoreWriteError, match=r"exists|directory"):
        add(store, "ann")
