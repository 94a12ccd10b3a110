"""The file of a control socket: made for the user alone, in place of one that a killed server left behind.

A path is cleared under the lock of its folder, and only if it is a socket of this user that refuses connections: then
no process listens there any more. Nothing else is ever removed. A server removes its own file before it stops to
listen, so no other server can have taken its place by then.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from sockctl.deadline import Deadline
from sockctl.errors import ControlError
from sockctl.net.control.form import SUFFIX
from sockctl.stores.files import find_folder_exposure, take_folder_lock
from sockctl.text import make_visible

LOCK_S = 2.0
"""How long a starting server waits for another one that makes or clears a socket in the same folder."""
PROBE_S = 0.5
BACKLOG = 8


class ControlSocket:
    """A listening control socket.

    Attributes:
        path: Its file.
        sock: The socket, non-blocking.
    """

    def __init__(self, path: Path, sock: socket.socket) -> None:
        self.path = path
        self.sock = sock
        self._identity = _identify(os.lstat(path))

    def remove(self) -> None:
        """Remove the file, if it is still this socket's; a second call does nothing."""
        with contextlib.suppress(OSError):
            if _identify(os.lstat(self.path)) == self._identity:
                self.path.unlink()

    def close(self) -> None:
        """Remove the file, and stop to listen."""
        self.remove()
        self.sock.close()


def open_in_folder(folder: Path, name: str) -> ControlSocket:
    """Listen in the folder of this user's servers, which is made if it is missing.

    Args:
        folder: The folder.
        name: The name of the server. Where another server has it, the process id stands behind it.

    Raises:
        ControlError: The folder is another user's, or the socket can't be made.
    """
    ensure_folder(folder)
    with _hold_lock(folder, LOCK_S):
        for own in (name, f"{name}-{os.getpid()}"):
            path = folder / f"{own}{SUFFIX}"
            if not is_taken(path):
                return _listen(path)
    raise ControlError(f"No control socket is made in {_show(folder)}: other processes have its names.")


def open_at(path: Path, *, lock_s: float = LOCK_S) -> ControlSocket:
    """Listen at a path of the user's choice; wait for the lock of its folder for `lock_s` seconds at most.

    Raises:
        ControlError: The socket can't be made there; what stands there stays as it is.
    """
    if problem := find_folder_exposure(path):
        raise ControlError(f"The control socket {_show(path)} is not made: {problem}")
    with _hold_lock(path.parent, lock_s):
        if is_taken(path):
            raise ControlError(f"The control socket {_show(path)} is not made: another process listens there.")
        return _listen(path)


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


def is_taken(path: Path) -> bool:
    """Return whether a process listens at a path; remove a socket of this user at which none does.

    Raises:
        ControlError: Something stands there that is no socket of this user.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ControlError(f"The control socket {_show(path)} can't be made: {error.strerror}.") from error
    if not stat.S_ISSOCK(status.st_mode):
        raise ControlError(
            f"The control socket {_show(path)} is not made: what stands there is no socket. Move it away, or choose "
            f"another --control."
        )
    if status.st_uid != os.geteuid():
        raise ControlError(f"The control socket {_show(path)} is not made: another user's socket stands there.")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return False
        except OSError:
            return True  # its backlog is full, or it is of another kind: something has it
    return True


def _listen(path: Path) -> ControlSocket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.suppress(OSError):
            os.fchmod(sock.fileno(), 0o600)  # on Linux, bind() gives the file this mode at once
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(BACKLOG)
        sock.setblocking(False)
        return ControlSocket(path, sock)
    except OSError as error:
        sock.close()
        why = error.strerror or f"its path has {len(os.fsencode(path))} bytes, which is too long for a socket"
        raise ControlError(f"The control socket {_show(path)} can't be made: {why}.") from error


@contextlib.contextmanager
def _hold_lock(folder: Path, lock_s: float) -> Iterator[None]:
    try:
        descriptor = take_folder_lock(folder, Deadline.after(lock_s))
    except BlockingIOError as error:
        raise ControlError(
            f"No control socket is made in {_show(folder)}: another process locks the folder."
        ) from error
    except OSError as error:
        raise ControlError(f"No control socket is made in {_show(folder)}: {error.strerror}.") from error
    try:
        yield
    finally:
        os.close(descriptor)


def _identify(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _show(path: Path) -> str:
    return make_visible(str(path))
