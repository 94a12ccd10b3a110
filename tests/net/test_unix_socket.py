"""The file of a Unix socket: what is replaced, what stays, and who may connect."""

import contextlib
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import ListenError
from sockctl.net.unix_socket import UnixListener, open_unix_listener
from tests.support.other_user import OTHER_UID, as_other_user, needs_root

BACKLOG = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@contextlib.contextmanager
def listening(path: Path, **options: Any) -> Iterator[UnixListener]:
    listener = open_unix_listener(f"unix:{path}", backlog=BACKLOG, **options)
    try:
        yield listener
    finally:
        listener.close()


def leave_behind(path: Path) -> None:
    """Leave the file of a socket at which no process listens, as one that was killed does."""
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))


def refuse(path: Path, says: str, **options: Any) -> None:
    with pytest.raises(ListenError, match=says):
        open_unix_listener(f"unix:{path}", backlog=BACKLOG, **options)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o000])
@pytest.mark.parametrize("mask", [0o022, 0o000, 0o777])
def test_the_file_has_its_mode_whatever_the_umask(path: Path, mode: int, mask: int) -> None:
    before = os.umask(mask)
    try:
        with listening(path, mode=mode) as listener:
            status = path.lstat()
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == mode == listener.mode


def test_the_file_goes_with_the_listener(path: Path) -> None:
    with listening(path) as listener:
        assert not listener.sock.getblocking()
        listener.close()
        assert not path.exists()
        path.write_text("another one")
        listener.close()
    assert path.read_text() == "another one", "what stands there now is not the listener's"


def test_a_file_that_took_its_place_stays(path: Path) -> None:
    with listening(path):
        path.unlink()
        leave_behind(path)
    assert path.is_socket()


def test_what_a_killed_server_has_left_is_replaced(path: Path) -> None:
    leave_behind(path)
    before = path.lstat().st_ino, path.lstat().st_mtime_ns
    with listening(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert (path.lstat().st_ino, path.lstat().st_mtime_ns) != before


def test_a_socket_at_which_somebody_listens_stays(path: Path) -> None:
    with listening(path) as first:
        refuse(path, "failed: another process listens there")
        with contextlib.ExitStack() as clients:  # with a full backlog, too
            with contextlib.suppress(BlockingIOError):
                for _ in range(BACKLOG + 2):
                    one = clients.enter_context(socket.socket(socket.AF_UNIX))
                    one.setblocking(False)
                    one.connect(str(path))
            refuse(path, "another process listens there")
        assert path.is_socket()
        first.sock.accept()[0].close()


def test_what_is_no_socket_stays(path: Path) -> None:
    for make, remove in ((Path.touch, Path.unlink), (Path.mkdir, Path.rmdir), (os.mkfifo, Path.unlink)):
        make(path)
        refuse(path, "what stands there is no socket")
        assert path.exists()
        remove(path)
    target = path.with_name("target")
    leave_behind(target)
    path.symlink_to(target)
    refuse(path, "what stands there is no socket")
    assert path.is_symlink()
    assert target.is_socket()


def test_a_socket_of_another_kind_stays(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(str(path))
        refuse(path, "another process listens there")
    assert path.is_socket()


@needs_root
def test_what_another_user_has_left_stays(path: Path) -> None:
    leave_behind(path)
    os.chown(path, OTHER_UID, OTHER_UID)
    refuse(path, "another user's socket stands there")
    assert path.is_socket()


def test_who_locks_the_folder_goes_first(path: Path) -> None:
    leave_behind(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        refuse(path, "another process locks the folder", lock_s=0.05)
        assert path.is_socket()
    finally:
        os.close(folder)
    with listening(path):
        assert [each.name for each in path.parent.iterdir()] == ["s"], "the lock leaves no file"


def test_a_folder_that_is_missing(path: Path) -> None:
    refuse(path / "deeper" / "s", "No such file or directory")


@needs_root
@pytest.mark.parametrize(("mode", "lets_in"), [(0o600, False), (0o666, True)])
def test_the_mode_says_who_may_connect(mode: int, *, lets_in: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:  # the test's own folder is closed to others
        Path(folder).chmod(0o755)
        said = connect_as_other_user(Path(folder, "s"), mode)
    assert said == "in" if lets_in else said.startswith("PermissionError")


def connect_as_other_user(path: Path, mode: int) -> str:
    """Listen at `path`, and return what comes of another user's connecting."""

    def connect() -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        return "in"

    with listening(path, mode=mode):
        return as_other_user(connect)


def test_an_abstract_name(path: Path) -> None:
    host = f"unix:@{path}"
    listener = open_unix_listener(host, backlog=BACKLOG)
    try:
        assert listener.mode is None
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"\0{path}")
        with pytest.raises(ListenError, match="Address already in use"):
            open_unix_listener(host, backlog=BACKLOG)
    finally:
        listener.close()
    assert not list(path.parent.iterdir())
    open_unix_listener(host, backlog=BACKLOG).close()
