"""The safe JSON file: many writers, killed writers, full disks, and files that nobody should overwrite."""

import errno
import fcntl
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import (
    StoreError,
    StoreExposedError,
    StoreFormatError,
    StoreLockedError,
    StoreReadError,
    StoreWriteError,
)
from sockctl.stores import json_store
from sockctl.stores.json_store import JsonStore
from tests.support.json_stores import add, check, store_at
from tests.support.running import TIMEOUT_S, UNMEASURED

KILLS = int(os.environ.get("SOCKCTL_SOAK_KILLS", "40"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "entries.json"


def test_a_file_that_is_not_there(path: Path) -> None:
    assert store_at(path).read() == {"entries": {}}
    assert not path.parent.exists(), "reading makes nothing"


def test_what_was_written_is_read(path: Path) -> None:
    add(store_at(path), "ann", "Zoë 🦜")
    assert store_at(path).read() == {"entries": {"ann": 1, "Zoë 🦜": 1}}
    assert json.loads(path.read_text()) == {"version": 2, "entries": {"ann": 1, "Zoë 🦜": 1}}
    assert "Zoë 🦜" in path.read_text(), "for people"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["entries.json", "entries.json.lock"]


def test_a_file_that_others_could_read_is_private_after_a_change(path: Path) -> None:
    add(store_at(path), "ann")
    path.chmod(0o644)
    add(store_at(path), "bob")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_private_file_that_others_may_use_is_refused(path: Path) -> None:
    store = JsonStore(path, version=2, empty=lambda: {"entries": {}}, check=check, private=True)
    add(store, "ann")
    assert store.read() == {"entries": {"ann": 1}}
    for mode in (0o640, 0o604, 0o620, 0o666):
        path.chmod(mode)
        with pytest.raises(StoreExposedError, match=f"its mode is {mode:04o}.*chmod 600"):
            store.read()
        with pytest.raises(StoreExposedError), store.update():
            pytest.fail("it must not be changed either")
    path.chmod(0o400)
    assert store.read() == {"entries": {"ann": 1}}


def test_a_private_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = JsonStore(path, version=2, empty=lambda: {"entries": {}}, check=check, private=True)
    add(store, "ann")
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    with pytest.raises(StoreExposedError, match="another user owns "):
        store.read()


def test_a_private_file_that_others_may_replace_is_refused(path: Path) -> None:
    store = JsonStore(path, version=2, empty=lambda: {"entries": {}}, check=check, private=True)
    add(store, "ann")
    path.parent.chmod(0o777)
    again = JsonStore(path, version=2, empty=lambda: {"entries": {}}, check=check, private=True)
    with pytest.raises(StoreExposedError, match=rf"others may write to {path.parent} .*chmod go-w {path.parent}$"):
        again.read()
    with pytest.raises(StoreExposedError), store.update():
        pytest.fail("it must not be changed either")
    path.unlink()
    with pytest.raises(StoreExposedError):
        again.read()
    path.parent.chmod(0o755)
    assert again.read() == {"entries": {}}


def test_folders_are_private_and_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = note_syncs(monkeypatch)
    add(store_at(tmp_path / "share" / "sockctl" / "entries.json"), "ann")
    for folder in (tmp_path / "share", tmp_path / "share" / "sockctl"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert str(folder.parent) in synced, "a folder that was made must outlast a crash too"


def test_a_folder_made_by_somebody_else_meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = Path.mkdir

    def slow(folder: Path, mode: int) -> None:
        mkdir(folder, mode)
        mkdir(folder, mode)

    monkeypatch.setattr(Path, "mkdir", slow)
    add(store_at(path), "ann")
    assert path.exists()


def note_syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list in which the paths synced will stand, and the replacing among them."""
    noted: list[str] = []
    fsync, replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        noted.append(str(Path(f"/dev/fd/{descriptor}").resolve()))
        fsync(descriptor)

    def put_in_place(source: str, target: Path) -> None:
        noted.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", put_in_place)
    return noted


def test_a_change_is_on_the_disk_before_it_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store_at(path), "ann")
    noted = note_syncs(monkeypatch)
    add(store_at(path), "bob")
    assert noted == [f"{path}.tmp", "replace", str(path.parent)]


def test_a_failed_change_changes_nothing(path: Path) -> None:
    store = store_at(path)
    add(store, "ann")
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), store.update() as content:
        content["entries"]["bob"] = 1 // 0
    with pytest.raises(StoreFormatError, match="no object") as caught, store.update() as content:
        content["entries"] = "nonsense"
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert store.read() == {"entries": {"ann": 1}}


def nested(depth: int) -> Any:
    inner: Any = 1
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1, 2}, "set"),
        (float("nan"), "Out of range"),
        ("\ud800", "surrogate"),
        (10**5000, "digits"),
        (nested(5_000), "deeply"),
    ],
    ids=["a set", "NaN", "half a character", "a huge number", "nested deeply"],
)
def test_what_could_not_be_read_again_is_not_written(path: Path, value: Any, why: str) -> None:
    add(store_at(path), "ann")
    before = path.read_bytes()
    with pytest.raises(StoreFormatError, match=why) as caught, store_at(path).update() as content:
        content["entries"]["bob"] = value
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_the_version_is_the_stores_own(path: Path) -> None:
    add(store_at(path), "ann")
    before = path.read_bytes()
    with pytest.raises(StoreFormatError, match="version"), store_at(path).update() as content:
        content["version"] = 99
    assert path.read_bytes() == before


def test_a_change_that_python_takes_for_none(path: Path) -> None:
    """True == 1 == 1.0, and the order of keys doesn't count: but the file is another one."""
    add(store_at(path), "ann", "bob")
    with store_at(path).update() as content:
        content["entries"] = {"bob": True, "ann": 1.0}
    entries = store_at(path).read()["entries"]
    assert str(entries) == "{'bob': True, 'ann': 1.0}"


def test_no_change_writes_nothing(path: Path) -> None:
    store = store_at(path)
    add(store, "ann")
    before = path.stat()
    add(store, "ann")
    assert path.stat().st_ino == before.st_ino


def test_a_change_by_somebody_else_is_seen(path: Path) -> None:
    store, other = store_at(path), store_at(path)
    for number in range(50):
        add(other, f"n{number:02}")
        assert f"n{number:02}" in store.read()["entries"]


def test_changes_of_equal_length_in_one_tick_are_seen(path: Path) -> None:
    store, other = store_at(path), store_at(path)
    add(store, "ann")
    for number in range(100):
        with other.update() as content:
            content["entries"]["ann"] = number % 2
        assert store.read()["entries"]["ann"] == number % 2


def test_a_file_that_takes_long_to_parse(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second change within a tick must be seen, also where the tick was over when the first one had been parsed."""
    store = store_at(path)
    add(store, "ann")
    changed_ns = path.stat().st_mtime_ns
    loads = json.loads

    def slow_loads(*arguments: Any, **options: Any) -> Any:
        time.sleep(json_store.TICK_NS / 1e9)
        return loads(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(json, "loads", slow_loads)
        store.read()
    path.write_text(path.read_text().replace("1\n", "2\n"))
    os.utime(path, ns=(changed_ns, changed_ns))
    assert store.read() == {"entries": {"ann": 2}}


def test_an_unchanged_file_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(path)
    add(store, "ann")
    os.utime(path, (1, 1))
    first = store.read()
    monkeypatch.setattr(json, "loads", None)
    assert store.read() is first


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    add(store_at(path), "ann")
    link = tmp_path / "link.json"
    link.symlink_to(path)
    add(store_at(link), "bob")
    assert link.is_symlink()
    assert set(store_at(path).read()["entries"]) == {"ann", "bob"}


REFUSED = {
    "empty": (b"", "line 1, column 1"),
    "not JSON": (b'{"version": 2,\n "entries": oops}', "line 2, column 13"),
    "cut off": (b'{"version": 2, "entries": {"ann": 1', "line 1"),
    "not UTF-8": (b'{"version": 2, "entries": {"\xff": 1}}', "byte 28"),
    "no object": (b"[]", "no object"),
    "no version": (b'{"entries": {}}', "version"),
    "a version that is none": (b'{"version": true, "entries": {}}', "version"),
    "newer": (b'{"version": 3, "entries": {}}', r"newer sockctl \(version 3, this one knows up to 2\)"),
    "a key twice": (b'{"version": 2, "entries": {"ann": 1, "ann": 2}}', "'ann' twice"),
    "not a number": (b'{"version": 2, "entries": {"ann": NaN}}', "NaN"),
    "infinity": (b'{"version": 2, "entries": {"ann": -Infinity}}', "-Infinity"),
    "beyond a float": (b'{"version": 2, "entries": {"ann": 1e999}}', "too large"),
    "a huge number": (b'{"version": 2, "entries": {"ann": ' + b"1" * 5000 + b"}}", "digits"),
    "nested deeply": (b"[" * 100_000, "deeply"),
    "another form": (b'{"version": 2, "entries": []}', "entries is no object"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_understood_is_refused_and_never_overwritten(path: Path, what: str) -> None:
    data, why = REFUSED[what]
    path.parent.mkdir()
    path.write_bytes(data)
    store = store_at(path)
    with pytest.raises(StoreFormatError, match=why) as caught:
        store.read()
    assert str(path) in str(caught.value)
    with pytest.raises(StoreFormatError, match=why):
        add(store, "bob")
    assert path.read_bytes() == data
    path.write_bytes(b'{"version": 1, "entries": {}}')
    add(store, "bob")
    assert json.loads(path.read_text())["version"] == 2, "an older one is taken over"


def test_a_key_twice_in_a_large_file_is_found_at_once(path: Path) -> None:
    path.parent.mkdir()
    keys = "".join(f'"{number}": 1, ' for number in range(100_000))
    path.write_text(f'{{"version": 2, "entries": {{{keys} "99999": 2}}}}')
    started = time.monotonic()
    with pytest.raises(StoreFormatError, match="'99999' twice"):
        store_at(path).read()
    assert time.monotonic() - started < 30


def test_a_huge_file_is_refused(path: Path) -> None:
    add(store_at(path), "ann")
    before = path.read_bytes()
    with pytest.raises(StoreWriteError, match="more than"):
        add(store_at(path, max_bytes=len(before)), "bob")
    assert path.read_bytes() == before, "what could not be read any more is not written"
    with pytest.raises(StoreFormatError, match=f"more than {len(before) - 1} bytes"):
        store_at(path, max_bytes=len(before) - 1).read()


def test_the_last_good_content_holds_on_where_that_is_wanted(path: Path) -> None:
    bad: list[StoreError] = []
    add(store_at(path), "ann")
    good = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(StoreFormatError):
        store_at(path, on_bad=bad.append).read()
    assert not bad, "nothing good had been read"
    path.write_bytes(good)
    store = store_at(path, on_bad=bad.append)
    assert store.read() == store_at(path).read()
    path.write_bytes(b"{")
    assert store.read() == store.read() == {"entries": {"ann": 1}}
    assert len(bad) == 1, "it is told once"
    with pytest.raises(StoreFormatError):
        add(store, "bob")
    path.write_bytes(good)
    assert store.read() == {"entries": {"ann": 1}}
    path.write_bytes(b"{")
    assert store.read() == {"entries": {"ann": 1}}
    assert len(bad) == 2, "and told again when it had been good"


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_what_is_no_file_is_refused(path: Path, what: str) -> None:
    path.parent.mkdir()
    if what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(StoreReadError, match=str(path)):
        store_at(path).read()
    with pytest.raises(StoreReadError):
        add(store_at(path), "ann")
    assert path.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(path: Path) -> None:
    add(store_at(path), "ann")
    path.chmod(0)
    with pytest.raises(StoreReadError, match="Permission denied"):
        store_at(path).read()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StoreWriteError, match=r"Not a directory|File exists"):
        add(store_at(tmp_path / "data" / "sub" / "entries.json"), "ann")


def test_another_process_that_holds_the_lock(path: Path) -> None:
    add(store_at(path), "ann")
    with open(f"{path}.lock", "rb") as lock:  # noqa: PTH123
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = time.monotonic()
        with pytest.raises(StoreLockedError, match=r"entries\.json\.lock"):
            add(store_at(path, lock_timeout_s=0.2), "bob")
        assert 0.2 <= time.monotonic() - started < json_store.LOCK_TIMEOUT_S - 0.5
        assert set(store_at(path).read()["entries"]) == {"ann"}, "reading needs no lock"
    add(store_at(path, lock_timeout_s=0.2), "bob")


def test_another_thread_that_takes_too_long(path: Path) -> None:
    store = store_at(path, lock_timeout_s=0.2)
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


def test_threads(path: Path) -> None:
    store = store_at(path)

    def add_ten(first: int) -> None:
        for number in range(10):
            add(store, f"{first}-{number}")

    threads = [threading.Thread(target=add_ten, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * TIMEOUT_S)
    assert len(store.read()["entries"]) == 80


ADDER = """
import sys
from pathlib import Path
from sockctl.stores.json_store import JsonStore
options = {"empty": lambda: {"entries": {}}, "check": lambda content: None, "lock_timeout_s": 60.0}
store = JsonStore(Path(sys.argv[1]), version=2, **options)
for number in range(25):
    with store.update() as content:
        content["entries"][f"{sys.argv[2]}-{number}"] = 1
"""


def test_processes(path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", ADDER, str(path), str(first)]) for first in range(8)]
    assert [process.wait(60) for process in processes] == [0] * 8
    assert len(store_at(path).read()["entries"]) == 200


def test_a_change_by_another_process_is_seen_where_the_file_was_known(path: Path) -> None:
    store = store_at(path)
    add(store, "ann")
    os.utime(path, (1, 1))  # long ago: what was read is kept
    assert store.read() is store.read()
    subprocess.run([sys.executable, "-c", ADDER, str(path), "bob"], timeout=60, check=True)
    assert len(store.read()["entries"]) == 26
    path.unlink()
    assert store.read() == {"entries": {}}


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails(path: Path, step: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(path)
    add(store, "ann")
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(StoreWriteError, match=os.strerror(number)):
            add(store, "bob")
    assert path.read_bytes() == before
    assert not Path(f"{path}.tmp").exists()
    add(store, "bob")
    assert set(store.read()["entries"]) == {"ann", "bob"}


@pytest.mark.parametrize(("number", "fails"), [(errno.EIO, True), (errno.EINVAL, False)])
def test_a_folder_that_cannot_be_synced(path: Path, number: int, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store_at(path), "ann")
    fsync = os.fsync

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    if fails:
        with pytest.raises(StoreWriteError, match="not sure"):
            add(store_at(path), "bob")
    else:
        add(store_at(path), "bob")
    assert set(store_at(path).read()["entries"]) == {"ann", "bob"}


LIMITED = """
import resource, signal, sys
from pathlib import Path
from tests.support.json_stores import add, store_at
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    add(store_at(Path(sys.argv[1])), "x" * 2000)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_file_that_may_not_grow(path: Path) -> None:
    add(store_at(path), "ann")
    before = path.read_bytes()
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.startswith("StoreWriteError")
    assert "File too large" in run.stdout
    assert path.read_bytes() == before
    assert not Path(f"{path}.tmp").exists()


WRITER = """
import sys
from pathlib import Path
from sockctl.stores.json_store import JsonStore
store = JsonStore(Path(sys.argv[1]), version=2, empty=lambda: {"entries": {}}, check=lambda content: None)
for number in range(1_000_000):
    with store.update() as content:
        content["entries"][f"{sys.argv[2]}-{number}"] = 1
    print(f"{sys.argv[2]}-{number}", flush=True)
"""


@pytest.mark.slow
def test_killed_writers(path: Path) -> None:
    """Whatever moment a writer is killed at, the file is whole, and what it had acknowledged is there."""
    chance = random.Random(9)
    acknowledged: set[str] = set()
    for kill in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(kill)], stdout=subprocess.PIPE, text=True, env=UNMEASURED
        )
        assert writer.stdout is not None
        acknowledged.add(writer.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.02))  # the random moment is what is tested
        writer.send_signal(signal.SIGKILL)
        lines = writer.stdout.read().split("\n")
        acknowledged.update(line for line in lines[:-1])  # a last line without its end was not acknowledged
        writer.wait(TIMEOUT_S)
        writer.stdout.close()
        entries = set(store_at(path).read()["entries"])
        assert acknowledged <= entries, "an acknowledged entry is missing"
    assert len(acknowledged) > KILLS
    add(store_at(path), "the last")
    assert sorted(one.name for one in path.parent.iterdir()) == ["entries.json", "entries.json.lock"]


def test_every_error_is_one_of_the_stores() -> None:
    for kind in (StoreReadError, StoreFormatError, StoreLockedError, StoreWriteError):
        assert issubclass(kind, StoreError)
