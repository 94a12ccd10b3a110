"""The lock of a file: one thread of one process at a time."""

import os
import threading
from pathlib import Path

import pytest

from sockctl.errors import StoreLockedError, StoreWriteError
from sockctl.stores.file_lock import FileLock
from sockctl.stores.files import take_lock


def test_threads_hold_it_one_after_the_other(tmp_path: Path) -> None:
    lock, inside = FileLock(tmp_path / "data" / "file", 60), []

    def hold() -> None:
        with lock.hold():
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=hold) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (tmp_path / "data" / "file.lock").exists(), "the folder was made"


def test_a_lock_of_another_holder_is_waited_for_only_so_long(tmp_path: Path) -> None:
    lock, path = FileLock(tmp_path / "file", 10), tmp_path / "file.lock"
    descriptor = take_lock(path, 0)
    with pytest.raises(StoreLockedError, match=r"for more than 0\.01 s"), lock.hold(0.01):
        pass
    os.close(descriptor)
    with lock.hold(0.01), pytest.raises(StoreLockedError), lock.hold(0.01):
        pass
    with lock.hold(0.01):
        pass


def test_a_lock_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreWriteError, match="Not a directory"), FileLock(tmp_path / "file" / "data", 1).hold():
        pass
