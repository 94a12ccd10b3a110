"""The file of a listening Unix socket: made in place of one that a killed server has left behind, and of nothing else.

A socket's file stays behind when its process is killed. So a path is cleared, under the lock of its folder, if a socket
of this user stands there that refuses a connection: then no process listens there any more. Nothing else is ever
removed. The lock is one of the folder itself (flock(2)), so no file is made for it. A server removes its own file
before it stops to listen, and only if it is still its own; so no other server can have taken its place by then.

The errors here are the ends of sentences: the caller says of which socket.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from sockctl.deadline import Deadline
from sockctl.errors import ListenError
from sockctl.stores.files import take_folder_lock

LOCK_S = 2.0
"""How long a starting server waits for another one that makes or clears a socket in the same folder."""
PROBE_S = 0.5


class SocketFile:
    """A listening socket and its file.

    Attributes:
        path: The file.
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


def listen_at(path: Path, *, mode: int, backlog: int, lock_s: float = LOCK_S) -> SocketFile:
    """Listen at a path, unless another process does.

    Args:
        path: The file.
        mode: Its mode, whatever the umask.
        backlog: How many connections may wait to be accepted.
        lock_s: Seconds to wait for the lock of the folder.

    Raises:
        ListenError: The socket can't be made there; what stands there stays as it is.
    """
    with hold_folder(path.parent, lock_s):
        if is_taken(path):
            raise ListenError("another process listens there. Choose another path.")
        return listen(path, mode=mode, backlog=backlog)


@contextlib.contextmanager
def hold_folder(folder: Path, lock_s: float = LOCK_S) -> Iterator[None]:
    """Hold the lock of a folder inside the block, in which `is_taken` and `listen` are called.

    Raises:
        ListenError: Another process has held it for `lock_s` seconds, or the folder can't be read.
    """
    try:
        descriptor = take_folder_lock(folder, Deadline.after(lock_s))
    except BlockingIOError as error:
        raise ListenError("another process locks the folder.") from error
    except OSError as error:
        raise ListenError(f"{error.strerror}.") from error
    try:
        yield
    finally:
        os.close(descriptor)


def is_taken(path: Path) -> bool:
    """Return whether a process listens at a path; remove a socket of this user at which none does.

    Raises:
        ListenError: Something stands there that is no socket of this user.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ListenError(f"{error.strerror}.") from error
    if not stat.S_ISSOCK(status.st_mode):
        raise ListenError("what stands there is no socket. Move it away, or choose another path.")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            pass
        except OSError:
            return True  # its backlog is full, or it is of another kind: something has it
        else:
            return True
    if status.st_uid != os.geteuid():
        raise ListenError("another user's socket stands there. Choose another path.")
    path.unlink(missing_ok=True)
    return False


def listen(path: Path, *, mode: int, backlog: int) -> SocketFile:
    """Listen at a path that isn't taken.

    Args:
        path: The file.
        mode: Its mode, whatever the umask.
        backlog: How many connections may wait to be accepted.

    Raises:
        ListenError: The socket can't be made.
    """
    with contextlib.ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_UNIX))
        try:
            with contextlib.suppress(OSError):
                os.fchmod(sock.fileno(), mode)  # on Linux, bind() gives the file no wider mode than that
            sock.bind(str(path))
            undo.callback(path.unlink, missing_ok=True)
            path.chmod(mode)
            sock.listen(backlog)
            sock.setblocking(False)
            made = SocketFile(path, sock)
        except OSError as error:
            why = error.strerror or f"its path has {len(os.fsencode(path))} bytes, which is too long for a socket"
            raise ListenError(f"{why}.") from error
        undo.pop_all()
    return made


def _identify(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
