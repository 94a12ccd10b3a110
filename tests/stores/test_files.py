"""Private files and the lock between processes; what JsonStore makes of them is tested there."""

import errno
import os
import stat
import tempfile
import time
from pathlib import Path

import pytest

from sockctl.stores.files import (
    append_lines,
    describe_mending,
    find_exposure,
    find_folder_exposure,
    make_private_folder,
    sync_folder,
    take_folder_lock,
    take_lock,
    write_private_file,
)
from tests.support.other_user import OTHER_UID, as_other_user, needs_root


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


def test_a_folder_is_locked_without_a_file_in_it(tmp_path: Path) -> None:
    lock = take_folder_lock(tmp_path, 0)
    try:
        with pytest.raises(BlockingIOError):
            take_folder_lock(tmp_path, 0)
    finally:
        os.close(lock)
    os.close(take_folder_lock(tmp_path, 0))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        take_folder_lock(tmp_path / "missing", 0)


# Who else could read, change or replace a file.


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_ones_own(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    assert find_exposure(path.stat()) == find_exposure(path.stat(), roots_too=True) == ""


@pytest.mark.parametrize("mode", [0o640, 0o610, 0o604, 0o602])
def test_a_file_that_is_open_to_others(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a file"
    path.touch()
    path.chmod(mode)
    for roots_too in (False, True):
        assert find_exposure(path.stat(), roots_too=roots_too) == f"others may use it (its mode is {mode:04o})"
    assert describe_mending(path, path.stat()).endswith(f"then: chmod 600 '{path}'")


@needs_root
def test_a_file_of_another_user(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o600)
    os.chown(path, OTHER_UID, -1)
    assert find_exposure(path.stat()) == find_exposure(path.stat(), roots_too=True) == "another user owns it"
    assert describe_mending(path, path.stat()).endswith(f"then: chown root {path} && chmod 600 {path}")


@needs_root
@pytest.mark.parametrize(("mode", "open_to_others"), [(0o600, False), (0o640, False), (0o660, True), (0o644, True)])
def test_a_file_of_roots_that_a_server_is_given(tmp_path: Path, mode: int, open_to_others: bool) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    status = path.stat()
    said = as_other_user(lambda: find_exposure(status, roots_too=True))
    assert said == (f"others may use it (its mode is {mode:04o})" if open_to_others else "")
    assert as_other_user(lambda: find_exposure(status)) == "another user owns it"


def test_folders_of_ones_own(tmp_path: Path) -> None:
    assert find_folder_exposure(tmp_path / "absent" / "file") == ""


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702])
@pytest.mark.parametrize("below", ["", "data", "data/deeper"])
def test_a_folder_that_others_may_write_to(tmp_path: Path, mode: int, below: str) -> None:
    folder = tmp_path / "open"
    (folder / below).mkdir(parents=True, mode=0o700)
    folder.chmod(mode)
    said = find_folder_exposure(folder / below / "file")
    assert f"others may write to {folder} (its mode is {mode:04o})" in said
    assert said.endswith(f"then: chmod go-w {folder}")
    folder.chmod(mode & ~0o022)
    assert find_folder_exposure(folder / below / "file") == ""


def test_a_sticky_folder(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    (folder / "own").mkdir(parents=True, mode=0o700)
    folder.chmod(0o1777)
    assert find_folder_exposure(folder / "own" / "file") == find_folder_exposure(folder / "file") == ""


def test_where_a_link_leads_counts(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert f"others may write to {tmp_path / 'open'}" in find_folder_exposure(tmp_path / "link" / "file")


@needs_root
@pytest.mark.parametrize("mode", [0o700, 0o1777])
def test_a_folder_of_another_user(mode: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(os.path.realpath(made))
        (folder / "data").mkdir(mode=0o700)
        for one in (folder, folder / "data"):
            os.chown(one, OTHER_UID, -1)
        folder.chmod(mode)
        assert as_other_user(lambda: find_folder_exposure(folder / "data" / "file")) == "", "it is that user's own"
        os.chown(folder / "data", 0, -1)
        said = find_folder_exposure(folder / "data" / "file")
        assert said == f"another user owns {folder}. Choose another place, or: chown root {folder}"
        os.chown(folder, 0, -1)
        assert find_folder_exposure(folder / "data" / "file") == ""


def test_a_user_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path.stat()
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    assert f"chown 4000000 {tmp_path} && " in describe_mending(tmp_path, status)


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b"one\n"), (b"a\n", b"a\none\n"), (b"torn", b"torn\none\n")],
    ids=["new", "whole", "torn"],
)
def test_lines_are_appended_below_a_torn_one(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(before)
    with path.open("r+b") as file:
        assert append_lines(file.fileno(), b"one\n") == len(after)
    assert path.read_bytes() == after
