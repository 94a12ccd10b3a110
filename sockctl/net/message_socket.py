"""Text messages over any connected socket: functions, and a socket that has them as methods.

    | 4 bytes: length N, big-endian, unsigned | N bytes: UTF-8 text |

A message is read exactly, header first, then text: what follows it stays in the socket, so other reading may go on from
there. Memory grows with what has come, never with what a header claims. A deadline holds for a whole message, so
whoever sends one byte at a time can't stretch it.
"""

import math
import select
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from sockctl.errors import ConnectionBrokenError, MessageTimeoutError
from sockctl.protocol.frames import LIMIT_BYTES, FrameDecoder, encode_frame

__all__ = ["MessageSocket", "receive_message", "send_message"]

READ_BYTES = 65_536
T = TypeVar("T")

# One lock for each socket, so that the messages of several threads don't mix. It can't be kept on the socket itself:
# the functions take any, TLS ones included. It goes when the socket does.
_sending: "weakref.WeakKeyDictionary[socket.socket, threading.Lock]" = weakref.WeakKeyDictionary()
_sending_lock = threading.Lock()  # guards _sending


def send_message(
    sock: socket.socket, text: str, *, timeout_s: float | None = None, limit_bytes: int = LIMIT_BYTES
) -> None:
    """Send one message; blocks until the kernel has taken all of it.

    Several threads may send on one socket: messages don't mix. A TLS socket must not be read from meanwhile, which is
    a limit of Python's.

    Args:
        sock: A connected stream socket.
        text: The message.
        timeout_s: Seconds for the whole message; None for the socket's own timeout, taken for the whole message.
        limit_bytes: Bytes of UTF-8 at most, below 16 MiB.

    Raises:
        UnsendableError: It is too long, or holds a lone surrogate; nothing was sent.
        MessageTimeoutError: It was not taken in time. If it was taken in part, the connection can't be used any more.
        ConnectionBrokenError: The connection broke.
    """
    data = memoryview(encode_frame(text, limit_bytes=limit_bytes))
    turns = _Turns(sock, timeout_s)
    lock = _lock_of(sock)
    if not lock.acquire(timeout=-1 if turns.until == math.inf else turns.left_s()):
        raise MessageTimeoutError("Other messages were in the way for too long: nothing of this one was sent.")
    try:
        while data:
            data = data[turns.send(data) :]
    finally:
        lock.release()


def receive_message(
    sock: socket.socket, *, timeout_s: float | None = None, limit_bytes: int = LIMIT_BYTES
) -> str | None:
    """Wait for one message and return it; None when the other side has ended the connection. One thread at a time.

    Args:
        sock: A connected stream socket.
        timeout_s: Seconds for the whole message, from now to its last byte; None for the socket's own timeout, taken
            for the whole message.
        limit_bytes: Bytes of UTF-8 at most, below 16 MiB.

    Raises:
        MessageTooLargeError: It is larger than the limit. Nothing of its text was read.
        BadTextError: It is not UTF-8.
        TruncatedMessageError: The connection ended in the middle of it.
        MessageTimeoutError: It was not complete in time. If it had begun, the connection can't be used any more.
        ConnectionBrokenError: The connection broke.
    """
    return _receive(sock, FrameDecoder(limit_bytes=limit_bytes), timeout_s)


class MessageSocket(socket.socket):
    """A socket that also sends and receives messages; it is made as `socket.socket` is.

    Several threads may send at once, and one at a time may receive beside them.

    Attributes:
        limit_bytes: Bytes of UTF-8 in a message at most, in both directions; below 16 MiB.
    """

    # Not __slots__: a class attribute is what a socket that accept() has just made starts with.
    limit_bytes: int = LIMIT_BYTES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._decoder = FrameDecoder()

    @classmethod
    def connect_to(cls, address: tuple[str, int], *, timeout_s: float | None = None) -> "MessageSocket":
        """Connect to HOST and PORT, and return the socket, without a timeout of its own.

        Raises:
            OSError: It can't be connected to.
        """
        plain = socket.create_connection(address, timeout_s)
        plain.settimeout(None)
        return cls._taking_over(plain)

    def accept(self) -> "tuple[MessageSocket, Any]":
        """Wait for a client; return its socket, which is of this kind and has the same limit, and its address."""
        plain, address = super().accept()
        sock = self._taking_over(plain)
        sock.limit_bytes = self.limit_bytes
        return sock, address

    def send_message(self, text: str, *, timeout_s: float | None = None) -> None:
        """Send one message; see the function `send_message`."""
        send_message(self, text, timeout_s=timeout_s, limit_bytes=self.limit_bytes)

    def receive_message(self, *, timeout_s: float | None = None) -> str | None:
        """Wait for one message and return it; None at the end. See the function `receive_message`.

        What had come of a message when its time was up is kept, and the next call goes on with it.
        """
        self._decoder.limit_bytes = self.limit_bytes
        return _receive(self, self._decoder, timeout_s)

    @classmethod
    def _taking_over(cls, plain: socket.socket) -> "MessageSocket":
        return cls(plain.family, plain.type, plain.proto, fileno=plain.detach())


class _Turns:
    """Calls of one socket within one deadline; between them it waits for the socket, so no call blocks.

    A TLS socket can't be waited for like that, since bytes wait inside the TLS object: there each call gets what is
    left of the time as its timeout.
    """

    def __init__(self, sock: socket.socket, timeout_s: float | None) -> None:
        self._sock = sock
        self._is_tls = hasattr(sock, "pending")
        chosen = sock.gettimeout() if timeout_s is None else timeout_s
        self.until = math.inf if chosen is None else time.monotonic() + chosen

    def left_s(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self.until - time.monotonic())

    def send(self, data: memoryview) -> int:
        """Send some of `data`, and return how many bytes.

        Raises:
            MessageTimeoutError: The time is up.
            ConnectionBrokenError: The connection broke.
        """
        return self._take(select.POLLOUT, lambda *flags: self._sock.send(data, *flags))

    def receive(self, max_bytes: int) -> bytes:
        """Receive some bytes; none at the end.

        Raises:
            MessageTimeoutError: The time is up.
            ConnectionBrokenError: The connection broke.
        """
        return self._take(select.POLLIN, lambda *flags: self._sock.recv(max_bytes, *flags))

    def _take(self, event: int, call: Callable[..., T]) -> T:
        try:
            return self._take_tls(call) if self._is_tls else self._take_plain(event, call)
        except TimeoutError as error:
            raise MessageTimeoutError("The message was not complete in time.") from error
        except OSError as error:
            raise ConnectionBrokenError(f"The connection broke: {error.strerror or error}.") from error

    def _take_plain(self, event: int, call: Callable[..., T]) -> T:
        while True:
            try:
                return call(socket.MSG_DONTWAIT)
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._sock, event)
                if not poll.poll(None if self.until == math.inf else math.ceil(self.left_s() * 1000)):
                    raise TimeoutError from None

    def _take_tls(self, call: Callable[..., T]) -> T:
        before = self._sock.gettimeout()
        # Zero would mean "don't wait": the last moment is a very short wait instead.
        self._sock.settimeout(None if self.until == math.inf else max(self.left_s(), 0.001))
        try:
            return call()
        finally:
            self._sock.settimeout(before)


def _receive(sock: socket.socket, decoder: FrameDecoder, timeout_s: float | None) -> str | None:
    turns = _Turns(sock, timeout_s)
    while missing := decoder.missing_bytes():
        data = turns.receive(min(missing, READ_BYTES))
        if not data:
            decoder.end()
            return None
        decoder.feed(data)
    return decoder.next()


def _lock_of(sock: socket.socket) -> threading.Lock:
    with _sending_lock:
        return _sending.setdefault(sock, threading.Lock())
