"""The Unix socket at which a server listens: at a path, or under an abstract name (``@name``, Linux).

An abstract name has no file, and no mode: the kernel forgets it with the last socket.
"""

import contextlib
import socket
from pathlib import Path

from sockctl.errors import ListenError
from sockctl.net.address import find_unix_address, is_abstract
from sockctl.net.socket_file import LOCK_S, SocketFile, listen_at
from sockctl.text import make_visible

MODE = 0o600
"""Only the user's own processes may connect, and root's."""


class UnixListener:
    """A listening Unix socket.

    Args:
        host: Its place, as ``unix:/path`` or ``unix:@name``.
        sock: The socket, non-blocking.
        file: Its file; None for an abstract name.
        mode: The mode of its file; None for an abstract name.
    """

    def __init__(self, host: str, sock: socket.socket, *, file: SocketFile | None, mode: int | None) -> None:
        self.host = host
        self.mode = mode
        self.sock = sock
        self._file = file

    def close(self) -> None:
        """Remove the file, if it is still this socket's, and stop to listen. A second call does nothing."""
        if self._file is not None:
            self._file.remove()
            self._file = None
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
    try:
        if is_abstract(host):
            return UnixListener(host, _listen_abstract(host, backlog), file=None, mode=None)
        file = listen_at(Path(find_unix_address(host)), mode=mode, backlog=backlog, lock_s=lock_s)
    except ListenError as error:
        raise ListenError(f"Listening on {make_visible(host)} failed: {error}") from error
    return UnixListener(host, file.sock, file=file, mode=mode)


def _listen_abstract(host: str, backlog: int) -> socket.socket:
    with contextlib.ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_UNIX))
        try:
            sock.bind(find_unix_address(host))
        except OSError as error:
            raise ListenError(f"{error.strerror}. Choose another name.") from error
        sock.listen(backlog)
        sock.setblocking(False)
        undo.pop_all()
    return sock
