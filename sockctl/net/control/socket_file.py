"""The file of a control socket: made for the user alone, by the rules of `sockctl.net.socket_file`."""

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from sockctl.errors import ControlError, ListenError
from sockctl.net.control.form import SUFFIX
from sockctl.net.socket_file import LOCK_S, SocketFile, hold_folder, is_taken, listen, listen_at
from sockctl.stores.files import find_folder_exposure
from sockctl.text import make_visible

MODE = 0o600
BACKLOG = 8


def open_in_folder(folder: Path, name: str) -> SocketFile:
    """Listen in the folder of this user's servers, which is made if it is missing. Remove what killed ones have left.

    Args:
        folder: The folder.
        name: The name of the server. Where another server has it, the process id stands behind it.

    Raises:
        ControlError: The folder is another user's, or the socket can't be made.
    """
    ensure_folder(folder)
    try:
        with hold_folder(folder):
            _remove_stale(folder.glob(f"*{SUFFIX}"))
            for own in (name, f"{name}-{os.getpid()}"):
                path = folder / f"{own}{SUFFIX}"
                if not is_taken(path):
                    return listen(path, mode=MODE, backlog=BACKLOG)
    except ListenError as error:
        raise ControlError(f"No control socket is made in {_show(folder)}: {error}") from error
    raise ControlError(f"No control socket is made in {_show(folder)}: other processes have its names.")


def open_at(path: Path, *, lock_s: float = LOCK_S) -> SocketFile:
    """Listen at a path of the user's choice; wait for the lock of its folder for `lock_s` seconds at most.

    Raises:
        ControlError: The socket can't be made there; what stands there stays as it is.
    """
    if problem := find_folder_exposure(path):
        raise ControlError(f"The control socket {_show(path)} is not made: {problem}")
    try:
        return listen_at(path, mode=MODE, backlog=BACKLOG, lock_s=lock_s)
    except ListenError as error:
        raise ControlError(f"The control socket {_show(path)} is not made: {error}") from error


def remove_stale(folder: Path, paths: Iterable[Path]) -> None:
    """Remove the sockets in the folder of this user's servers at which none listens any more: they were killed.

    Nothing is removed while another process has the folder's lock, nor from a folder that others may use.
    """
    with contextlib.suppress(OSError, ListenError):
        if not find_problem(folder):
            with hold_folder(folder, 0.0):
                _remove_stale(paths)


def _remove_stale(paths: Iterable[Path]) -> None:
    """Remove those that refuse a connection; the caller holds the folder."""
    for path in paths:
        with contextlib.suppress(OSError, ListenError):
            is_taken(path)


def ensure_folder(folder: Path) -> None:
    """Make a folder for this user alone, or check the one that is there.

    Raises:
        ControlError: It can't be made, or others may use it.
    """
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise ControlError(
            f"The folder {_show(folder)} for control sockets can't be made: {error.strerror}."
        ) from error
    if problem := find_problem(folder):
        raise ControlError(f"The folder {_show(folder)} for control sockets is not used: {problem}.")


def find_problem(folder: Path) -> str:
    """Return why a folder isn't this user's alone; empty if it is."""
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        return "it is no folder"
    if status.st_uid != os.geteuid():
        return "another user owns it"
    return f"others may use it (its mode is {stat.S_IMODE(status.st_mode):04o})" if status.st_mode & 0o077 else ""


def _show(path: Path) -> str:
    return make_visible(str(path))
