"""A connection over a Unix socket: how a client makes it, and what the kernel knows of the other end."""

import contextlib
import errno
import math
import socket
import struct

from sockctl.deadline import Deadline
from sockctl.local_user import UID
from sockctl.net.wait import Wait, wait_for

SHORT = {
    errno.ENOENT: "there is no such socket",
    errno.ECONNREFUSED: "connection refused, nothing listens on that socket",
    errno.EACCES: "its mode, or a folder's above it, keeps this user out",
    errno.EPROTOTYPE: "it is a socket of another kind, such as one of datagrams",
}
"""Why a connection failed, by the error."""
_CREDENTIALS = struct.Struct("3i")
"""struct ucred: pid, uid and gid (unix(7))."""
_TIME = struct.Struct("ll")
"""struct timeval: seconds and microseconds."""
_NOT_YET = {errno.EAGAIN, errno.ENOTCONN}
_TURN_S = 0.1
"""How long connect() may wait at a time: no poll() tells when a backlog has room again."""


def connect_unix(sock: socket.socket, address: str, timeout_s: float, wait: Wait = wait_for) -> None:
    """Connect; the caller has made the socket blocking. Waits while the server's backlog is full.

    Args:
        sock: The socket.
        address: The path, or a zero byte and an abstract name.
        timeout_s: Seconds to wait at most.
        wait: Called without a time ten times a second; errors of its own pass.

    Raises:
        TimeoutError: It stayed full.
        OSError: Nothing listens there, or this user may not connect.
    """
    deadline = Deadline.after(timeout_s)
    while True:
        _set_send_timeout(sock, min(max(deadline.left_s, 0.001), _TURN_S))
        try:
            sock.connect(address)
            sock.getpeername()  # where a signal has ended the wait, Python takes the socket for a connected one
        except OSError as error:
            if error.errno not in _NOT_YET:
                raise
            with contextlib.suppress(TimeoutError):
                wait(None, 0, 0.0)
            if deadline.has_passed:
                raise TimeoutError from error
        else:
            break
    _set_send_timeout(sock, 0.0)


def _set_send_timeout(sock: socket.socket, seconds: float) -> None:
    whole = math.floor(seconds)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIME.pack(whole, int((seconds - whole) * 1e6)))


def read_peer(sock: socket.socket) -> tuple[str, int]:
    """Return the user and the process at the other end, as they connected or listened: ``uid:1000``, and its id.

    The process id is 0 for a process that this one can't see, such as one outside of a container.

    Raises:
        OSError: The system doesn't tell.
    """
    pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return f"{UID}{uid & 0xFFFF_FFFF}", pid
