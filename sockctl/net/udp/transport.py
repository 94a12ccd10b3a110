"""A connected socket of UDP in the form of a stream, for the client's loop: frames of `sockctl.net.udp.framing`.

connect() on such a socket fixes the other end. So the kernel drops datagrams of others, and reports an ICMP refusal as
the error of the next call. The session goes on: the next datagram may find a server.
"""

import socket
from itertools import islice
from typing import Any, Self

from sockctl.net.udp.framing import DATAGRAM, FAILURE, HEAD_BYTES, find_frames, frame

_ROOM_BYTES = 65_536
AT_ONCE = 64
"""Datagrams that one call of recv() gives, or of send() takes, at most: so both directions have their turn."""
BUFFER_BYTES = 4 << 20
"""Wanted size of the kernel's receive buffer: answers wait there while the client sends."""


class DatagramTransport:
    """The socket, as a stream of frames that never ends. One thread only.

    Args:
        sock: The socket, connected; it is closed with this.

    Attributes:
        address: The other end, as getpeername() returns it.
        family: The family of the address.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._failures: list[bytes] = []
        self.address: tuple[Any, ...] = sock.getpeername()
        self.family = sock.family

    @property
    def pending(self) -> bool:
        """Whether errors wait to be received that no poller can see."""
        return bool(self._failures)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._sock.fileno()

    def setblocking(self, flag: bool, /) -> None:
        """Make it blocking or not."""
        self._sock.setblocking(flag)

    def recv(self, max_bytes: int, /) -> bytes:  # noqa: ARG002  a datagram isn't cut
        """Receive some of the waiting datagrams, each in a frame.

        Raises:
            BlockingIOError: Nothing waits.
        """
        frames, self._failures = self._failures, []
        for _ in range(AT_ONCE):
            try:
                frames.append(frame(self._sock.recv(_ROOM_BYTES)))
            except BlockingIOError:
                break
            except OSError as error:
                frames.append(_frame_failure(error))
        if not frames:
            raise BlockingIOError
        return b"".join(frames)

    def recv_into(self, buffer: bytearray, /) -> int:
        """Not for datagrams: `recv` gives them."""
        raise NotImplementedError

    def send(self, data: bytes | bytearray | memoryview, /) -> int:
        """Send the datagrams of whole frames; return the bytes of the frames that went out.

        Raises:
            BlockingIOError: The system takes none of them now.
        """
        count = 0
        with memoryview(data) as view:
            for kind, datagram in islice(find_frames(view), AT_ONCE):
                try:
                    if kind == DATAGRAM:
                        self._send_one(datagram)
                except BlockingIOError:
                    if not count:
                        raise
                    break
                finally:
                    size = len(datagram)
                    datagram.release()
                count += HEAD_BYTES + size
        return count

    def _send_one(self, datagram: memoryview) -> None:
        """Send a datagram; once more, if the error was that of an earlier one."""
        for _ in range(2):
            try:
                self._sock.send(datagram)
            except BlockingIOError:
                raise
            except OSError as error:
                self._failures.append(_frame_failure(error))
                if not isinstance(error, ConnectionRefusedError):
                    return
            else:
                return

    def setsockopt(self, level: int, option: int, value: bytes, /) -> None:
        """Set an option of the socket."""
        self._sock.setsockopt(level, option, value)

    def shutdown(self, how: int, /) -> None:
        """Do as a socket does: a reader wakes."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def __enter__(self) -> Self:
        """Return it, to be closed at the end of a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _frame_failure(error: OSError) -> bytes:
    text = "refused" if isinstance(error, ConnectionRefusedError) else error.strerror or str(error)
    return frame(text.encode(), FAILURE)
