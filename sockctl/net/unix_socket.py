"""Unix sockets of servers: the file, its mode, and what an earlier server has left behind.

A socket's file stays behind when its process is killed. So a path is cleared, under the lock of its folder, if a socket
of this user stands there that refuses a connection: then no process listens there any more. Nothing else is ever
removed. The lock is one of the folder itself (flock(2)), so no file is made for it. A server removes its own file
before it stops to listen, and only if it is still its own.

An abstract name (``@name``, Linux) has no file, and no mode: the kernel forgets it with the last socket.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from sockctl.deadline import Deadline
from sockctl.errors import ListenError
from sockctl.net.address import find_unix_address, is_abstract
from sockctl.stores.files import take_folder_lock
from sockctl.text import make_visible

LOCK_S = 2.0
"""How long a server waits for another one that makes or clears a socket in the same folder."""
PROBE_S = 0.5
MODE = 0o600
"""Only the user's own processes may connect, and root's."""


class UnixListener:
    """A listening Unix socket.

    Attributes:
        host: Its place, as ``unix:/path`` or ``unix:@name``.
        mode: The mode of its file; None for an abstract name.
        sock: The socket, non-blocking.
    """

    def __init__(self, host: str, mode: int | None, sock: socket.socket) -> None:
        self.host = host
        self.mode = mode
        self.sock = sock
        self._path = None if mode is None else find_unix_address(host)
        self._identity = None if self._path is None else _identify(os.lstat(self._path))

    def remove(self) -> None:
        """Remove the file, if it is still this socket's; a second call does nothing."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                if _identify(os.lstat(self._path)) == self._identity:
                    Path(self._path).unlink()
            self._path = None

    def close(self) -> None:
        """Remove the file, and stop to listen."""
        self.remove()
        self.sock.close()


def open_unix_listener(host: str, *, mode: int = MODE, backlog: int, lock_s: float = LOCK_S) -> UnixListener:
    """Listen at a path or an abstract name.

    Args:
        host: The place, as `sockctl.net.address.parse_unix` returns it.
        mode: The mode of the file.
        backlog: How many connections may wait to be accepted.
        lock_s: Seconds to wait for the lock of the folder.

    Raises:
        ListenError: The socket can't be made there; what stands there stays as it is.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        raise ListenError("--unix needs Linux: there the kernel says which user's process has connected.")
    if is_abstract(host):
        return UnixListener(host, None, _listen(host, None, backlog))
    path = Path(find_unix_address(host))
    with _hold_lock(path, lock_s):
        if _is_taken(path):
            raise ListenError(f"{_show(host)} is taken: another process listens there. Choose another --unix.")
        sock = _listen(host, mode, backlog)
        try:
            return UnixListener(host, mode, sock)
        except OSError as error:
            sock.close()
            raise _make_error(host, error) from error


def _listen(host: str, mode: int | None, backlog: int) -> socket.socket:
    with contextlib.ExitStack() as undo:
        try:
            sock = undo.enter_context(socket.socket(socket.AF_UNIX))
            if mode is not None:
                os.fchmod(sock.fileno(), mode)  # bind() gives the file this mode at once, so that it is never wider
            sock.bind(find_unix_address(host))
            if mode is not None:
                undo.callback(Path(find_unix_address(host)).unlink, missing_ok=True)
                Path(find_unix_address(host)).chmod(mode)  # bind() has taken the umask off
            sock.listen(backlog)
        except OSError as error:
            raise _make_error(host, error) from error
        sock.setblocking(False)
        undo.pop_all()
    return sock


def _is_taken(path: Path) -> bool:
    """Return whether a process listens at a path; remove a socket of this user at which none does.

    Raises:
        ListenError: Something else stands there.
    """
    shown = make_visible(str(path))
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _make_error(str(path), error) from error
    if not stat.S_ISSOCK(status.st_mode):
        raise ListenError(f"{shown} is no socket, and stays as it is. Move it away, or choose another --unix.")
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
        raise ListenError(
            f"{shown} is a socket of another user's, and stays as it is, although nothing listens there. Choose "
            f"another --unix."
        )
    path.unlink(missing_ok=True)
    return False


@contextlib.contextmanager
def _hold_lock(path: Path, lock_s: float) -> Iterator[None]:
    folder = path.parent
    try:
        descriptor = take_folder_lock(folder, Deadline.after(lock_s))
    except BlockingIOError as error:
        raise ListenError(
            f"{make_visible(str(path))} can't be made: another process locks its folder. Try again, or choose another "
            f"--unix."
        ) from error
    except OSError as error:
        raise _make_error(str(folder), error) from error
    try:
        yield
    finally:
        os.close(descriptor)


def _make_error(host: str, error: OSError) -> ListenError:
    shown = _show(host)
    if error.errno == errno.EADDRINUSE:
        return ListenError(f"{shown} is taken: another process listens there. Choose another --unix.")
    return ListenError(f"Listening on {shown} failed: {error.strerror or error}. Choose another --unix.")


def _show(host: str) -> str:
    return make_visible(host.removeprefix("unix:"))


def _identify(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
