"""The two sockets of a relay: the client's, which the server owns, and the target's, which the relay owns."""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable

from sockctl.net.connection import Connection
from sockctl.net.transport import Transport, is_pending

_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER without any time: close() discards the queued bytes, and sends a reset."""


class RelaySocket:
    """A connected socket, plain or under TLS. One thread at a time uses it.

    Args:
        sock: The socket; non-blocking from now on.

    Attributes:
        sock: As above.
        fd: Its descriptor.
        interest: The events that the poller waits for; the relay's loop sets it.
        receive_into: Receives into a buffer, as `Transport.recv_into`.
        send: Sends as many bytes as the kernel takes at once, and returns their number. Raises an OSError on a broken
            connection.
        is_broken: Whether sending has failed: the side takes no more, and the last bytes that it sent are still read.
    """

    __slots__ = ("fd", "interest", "is_broken", "receive_into", "send", "sock")

    def __init__(self, sock: Transport) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.fd = sock.fileno()
        self.interest = 0
        self.receive_into: Callable[[bytearray], int] = sock.recv_into
        self.send: Callable[[bytes | memoryview], int] = self._send
        self.is_broken = False

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    @property
    def has_pending(self) -> bool:
        """Whether bytes can be received that no poller can see."""
        return is_pending(self.sock)

    @property
    def was_cut(self) -> bool:
        """Whether the side ended its connection without the goodbye of TLS, so that bytes may be missing."""
        return getattr(self.sock, "cut", False)

    def shut(self) -> None:
        """Half-close: no more bytes go to the side."""
        with contextlib.suppress(OSError):  # it is no longer connected, which reading finds
            self.sock.shutdown(socket.SHUT_WR)

    def prepare_abort(self) -> None:
        """Have `close` break the connection off with a reset."""
        with contextlib.suppress(OSError):  # a Unix socket may not know of resets
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class ClientSocket(RelaySocket):
    """The client's socket: the server counts its bytes, and closes it.

    Args:
        connection: The client's connection.
    """

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.sock)
        self.connection = connection
        self.receive_into = self._receive_into
        self.send = self._send_counted

    def _receive_into(self, buffer: bytearray) -> int:
        count = self.sock.recv_into(buffer)
        connection = self.connection
        connection.bytes_in += count  # as `count_received` does, without a call for each read
        connection.reads += 1
        return count

    def _send_counted(self, data: bytes | memoryview) -> int:
        sent = self.connection.send_now(data)
        if self.connection.error is not None:
            raise self.connection.error
        return sent

    def prepare_abort(self) -> None:
        """Have the server break the connection off with a reset, once the connection is released."""
        super().prepare_abort()
        if self.connection.error is None:
            self.connection.note_error(OSError(errno.ECONNABORTED, os.strerror(errno.ECONNABORTED)))

    def close(self) -> None:
        """Leave that to the server."""
