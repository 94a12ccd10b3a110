"""The file of a control socket: private, never in place of something else, and removed at the end."""

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.errors import ControlError
from sockctl.net.control.client import fetch_all, list_live
from sockctl.net.control.socket_file import ensure_folder, open_at, open_in_folder
from sockctl.net.socket_file import SocketFile


@pytest.fixture
def opened() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def leave_behind(path: Path) -> None:
    """Leave the file of a socket at which nobody listens any more."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()


def can_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_socket_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    one = open_in_folder(folder, "echo-1")
    assert one.path == folder / "echo-1.sock"
    assert (mode_of(folder), mode_of(one.path)) == (0o700, 0o600)
    assert can_connect(one.path)
    one.close()
    assert list(folder.iterdir()) == []


def test_another_server_of_that_name(tmp_path: Path) -> None:
    with contextlib.closing(open_in_folder(tmp_path / "run", "echo-1")) as first:
        with contextlib.closing(open_in_folder(tmp_path / "run", "echo-1")) as second:
            assert second.path.name == f"echo-1-{os.getpid()}.sock"
            with pytest.raises(ControlError, match="other processes have its names"):
                open_in_folder(tmp_path / "run", "echo-1")
        assert can_connect(first.path)


@pytest.mark.parametrize(
    "open_one", [lambda folder: open_in_folder(folder, "a"), lambda folder: open_at(folder / "a.sock")]
)
def test_what_a_killed_server_left_is_replaced(tmp_path: Path, open_one: Callable[[Path], SocketFile]) -> None:
    tmp_path.chmod(0o700)
    leave_behind(tmp_path / "a.sock")
    with contextlib.closing(open_one(tmp_path)) as one:
        assert one.path == tmp_path / "a.sock"
        assert can_connect(one.path)


@pytest.fixture
def mixed(tmp_path: Path, opened: contextlib.ExitStack) -> Path:
    """Return a folder with what killed servers have left, and with what must stay."""
    folder = tmp_path / "run"
    folder.mkdir(0o700)
    for name in ("echo-1.sock", "chat-2.sock", "of-another-program"):
        leave_behind(folder / name)
    (folder / "file.sock").write_text("kept")
    opened.enter_context(contextlib.closing(open_at(folder / "live.sock")))
    full = opened.enter_context(socket.socket(socket.AF_UNIX))
    full.bind(str(folder / "full.sock"))
    full.listen(0)
    opened.enter_context(socket.socket(socket.AF_UNIX)).connect(str(folder / "full.sock"))
    return folder


KEPT = {"file.sock", "full.sock", "live.sock", "of-another-program"}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_server_that_starts_removes_what_killed_ones_have_left(mixed: Path) -> None:
    with contextlib.closing(open_in_folder(mixed, "talk-3")):
        assert names_in(mixed) == {*KEPT, "talk-3.sock"}
    assert names_in(mixed) == KEPT


@pytest.mark.parametrize("look", [list_live, lambda folder: list(fetch_all(folder, 0.01))])
def test_a_look_at_the_servers_removes_what_killed_ones_have_left(mixed: Path, look: Callable[[Path], object]) -> None:
    look(mixed)
    assert names_in(mixed) == KEPT


def test_a_folder_that_another_process_holds_or_others_may_use_stays_as_it_is(mixed: Path) -> None:
    before = names_in(mixed)
    descriptor = os.open(mixed, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert [path.name for path in list_live(mixed)] == ["live.sock"]
    assert names_in(mixed) == before
    os.close(descriptor)
    mixed.chmod(0o755)
    list_live(mixed)
    assert names_in(mixed) == before


def test_a_path_at_which_another_process_listens(tmp_path: Path) -> None:
    with (
        contextlib.closing(open_at(tmp_path / "a")),
        pytest.raises(ControlError, match="another process listens there"),
    ):
        open_at(tmp_path / "a")


def test_a_full_backlog_is_no_free_place(tmp_path: Path, opened: contextlib.ExitStack) -> None:
    path = tmp_path / "a"
    listener = opened.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(path))
    listener.listen(0)
    opened.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))
    with pytest.raises(ControlError, match="another process listens there"):
        open_at(path)
    assert path.is_socket()


def test_a_socket_of_another_kind_is_no_free_place(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "a"))
        with pytest.raises(ControlError, match="another process listens there"):
            open_at(tmp_path / "a")
    assert (tmp_path / "a").is_socket()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "pipe"])
def test_what_is_no_socket_is_never_removed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    match kind:
        case "file":
            path.write_text("kept")
        case "folder":
            path.mkdir()
        case "link":
            leave_behind(tmp_path / "target")
            path.symlink_to(tmp_path / "target")
        case "pipe":
            os.mkfifo(path)
    with pytest.raises(ControlError, match=r"what stands there is no socket\. Move it away, or choose another path"):
        open_at(path)
    assert path.lstat()
    assert kind != "link" or (tmp_path / "target").is_socket()


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o1777])
def test_a_folder_that_others_may_use(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ControlError, match=f"others may use it \\(its mode is {mode:04o}\\)"):
        open_in_folder(folder, "a")


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path)
    with pytest.raises(ControlError, match="it is no folder"):
        ensure_folder(tmp_path / "run")
    with pytest.raises(ControlError, match="can't be made: No such file or directory"):
        ensure_folder(tmp_path / "missing" / "run")


def test_a_folder_where_others_could_replace_the_socket(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ControlError, match="others may write to"):
        open_at(folder / "a")
    assert list(folder.iterdir()) == []


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)
    with pytest.raises(ControlError, match=r"its path has \d+ bytes, which is too long for a socket"):
        open_at(path)


def test_a_folder_that_another_process_locks(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(ControlError, match="another process locks the folder"):
            open_at(tmp_path / "a", lock_s=0.05)
    finally:
        os.close(descriptor)
    open_at(tmp_path / "a").close()


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="No such file or directory"):
        open_at(tmp_path / "missing" / "a")


def test_only_its_own_file_is_removed(tmp_path: Path) -> None:
    one: SocketFile = open_at(tmp_path / "a")
    one.path.unlink()
    with contextlib.closing(open_at(tmp_path / "a")) as other:
        one.close()
        one.remove()
        assert can_connect(other.path)
