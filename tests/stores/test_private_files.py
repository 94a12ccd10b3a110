"""Private files and the lock between processes; what JsonStore makes of them is tested there."""

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from sockctl.stores.private_files import make_private_folder, sync_folder, take_lock, write_private_file


def test_a_file_is_private_and_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.symlink_to(tmp_path / "elsewhere")
    write_private_file(path, b"x" * 1_000_000)
    assert path.read_bytes() == b"x" * 1_000_000
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert not (tmp_path / "elsewhere").exists()


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_private_file(tmp_path / "file", b"x")
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="Input/output error"):
        sync_folder(tmp_path)


def test_folders_are_private(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b")
    make_private_folder(tmp_path / "a" / "b")
    assert [stat.S_IMODE((tmp_path / one).stat().st_mode) for one in ("a", "a/b")] == [0o700, 0o700]


def test_a_lock_excludes_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = take_lock(path, 0)
    try:
        before = time.monotonic()
        with pytest.raises(BlockingIOError):
            take_lock(path, before + 0.05)
        assert time.monotonic() >= before + 0.05
    finally:
        os.close(lock)
    os.close(take_lock(path, 0))
