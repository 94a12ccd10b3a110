"""A connection over a Unix socket: how a client makes it, and what the kernel knows of the other end."""

import errno
import math
import socket
import struct

from sockctl.local_user import UID

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


def connect_unix(sock: socket.socket, address: str, timeout_s: float) -> None:
    """Connect; the caller has made the socket blocking. Waits while the server's backlog is full.

    Raises:
        TimeoutError: It stayed full.
        OSError: Nothing listens there, or this user may not connect.
    """
    seconds = min(max(timeout_s, 0.001), 1e6)
    whole = math.floor(seconds)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIME.pack(whole, int((seconds - whole) * 1e6)))
    try:
        sock.connect(address)
    except BlockingIOError as error:
        raise TimeoutError from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIME.pack(0, 0))


def read_peer(sock: socket.socket) -> tuple[str, int]:
    """Return the user and the process at the other end, as they connected or listened: ``uid:1000``, and its id.

    The process id is 0 for a process that this one can't see, such as one outside of a container.

    Raises:
        OSError: The system doesn't tell.
    """
    pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return f"{UID}{uid & 0xFFFF_FFFF}", pid
