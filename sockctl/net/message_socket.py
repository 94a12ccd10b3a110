"""Text messages over any connected socket: functions, and a socket that has them as methods.

    | 4 bytes: length N, big-endian, unsigned | N bytes: UTF-8 text |

The functions read a message exactly, header first, then text: the following bytes stay in the socket, for any other
reader. Memory grows with the received bytes, never with the length in a header. A deadline holds for a whole message,
so a peer that sends one byte at a time can't stretch it.
"""

import errno
import math
import os
import select
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any, Self, TypeVar

from sockctl.deadline import Deadline
from sockctl.errors import ConnectionBrokenError, MessageTimeoutError
from sockctl.protocol.frames import LIMIT_BYTES, FrameDecoder, encode_frame

READ_BYTES = 65_536
T = TypeVar("T")


class _TimeUpError(Exception):
    """A deadline has passed; the caller says which step was under way."""


class _Sending:
    """The state that all sending threads of one socket share.

    The lock guards the order of the bytes, and `cut_off`. A thread holds it until its whole message has gone, since no
    other bytes may stand in the middle. Each thread that waits for the lock has a deadline.

    Attributes:
        cut_off: Whether a message was given up in its middle: the other side would read the next one as its rest.
    """

    __slots__ = ("cut_off", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.cut_off = False


# The one exception to "no mutable globals": the functions take any socket, and a plain one has no room for this state.
# All threads of one socket must find the same state, which goes when the socket does.
_sending: "weakref.WeakKeyDictionary[socket.socket, _Sending]" = weakref.WeakKeyDictionary()
_sending_lock = threading.Lock()  # guards _sending


def send_message(
    sock: socket.socket, text: str, *, timeout_s: float | None = None, limit_bytes: int = LIMIT_BYTES
) -> None:
    """Send one message: 4-byte big-endian length, then UTF-8. Blocks until the kernel has taken all of it.

    Several threads may send on one socket, and another may receive: messages don't mix. Only one thread at a time may
    use a TLS socket, to send or to receive: else Python crashes. The call changes its timeout meanwhile.

    Args:
        sock: A connected stream socket.
        text: The message.
        timeout_s: Seconds for the whole message, the wait for other threads' messages included; None for the socket's
            own timeout, taken for the whole message.
        limit_bytes: The most bytes of UTF-8, below 16 MiB.

    Raises:
        UnsendableError: The message is too long, or holds a lone surrogate; nothing was sent.
        MessageTimeoutError: The kernel did not take it in time. If it has taken a part, no message can follow.
        ConnectionBrokenError: The connection broke, or an earlier message was sent in part only.
    """
    data = memoryview(encode_frame(text, limit_bytes=limit_bytes))
    size = len(data)
    turns = _Turns(sock, timeout_s)
    sending = _find_sending(sock)
    if not turns.acquire(sending.lock):
        raise MessageTimeoutError("Other messages were in the way for too long: nothing of this one was sent.")
    try:
        if sending.cut_off:
            raise ConnectionBrokenError(
                "An earlier message was sent in part only, so nothing can follow it: close the connection."
            )
        while data:
            data = data[turns.send(data) :]
    except _TimeUpError as error:
        if turns.is_tls or len(data) < size:
            raise MessageTimeoutError(
                f"The message was not taken in time, only {size - len(data):,} of {size:,} bytes: the connection can't "
                f"be used any more, close it."
            ) from error
        raise MessageTimeoutError("The message was not taken in time: nothing of it was sent.") from error
    finally:
        # A TLS socket doesn't say how much of a failed write has gone.
        sending.cut_off = sending.cut_off or (bool(data) and (turns.is_tls or len(data) < size))
        sending.lock.release()


def receive_message(
    sock: socket.socket, *, timeout_s: float | None = None, limit_bytes: int = LIMIT_BYTES
) -> str | None:
    """Wait for one message and return it; None when the other side has ended the connection.

    One thread at a time may receive from a socket with this function. Only one thread at a time may use a TLS socket,
    to send or to receive: else Python crashes. The call changes its timeout meanwhile.

    Args:
        sock: A connected stream socket.
        timeout_s: Seconds for the whole message, from now to its last byte; None for the socket's own timeout, taken
            for the whole message.
        limit_bytes: The most bytes of UTF-8, below 16 MiB.

    Raises:
        MessageTooLargeError: The message is larger than the limit. Its text is unread, so the connection can't be used
            any more.
        BadTextError: The message is not UTF-8.
        TruncatedMessageError: The connection ended in the middle of the message.
        MessageTimeoutError: The message was not complete in time. If it had begun, the connection can't be used any
            more.
        ConnectionBrokenError: The connection broke.
    """
    return _receive(
        _Turns(sock, timeout_s),
        FrameDecoder(limit_bytes=limit_bytes),
        "the connection can't be used any more, close it",
    )


class MessageSocket(socket.socket):
    """A `socket.socket` that also sends and receives messages.

    Several threads may send at once, and several may receive: each gets whole messages.

    Args:
        *args: As for `socket.socket`.
        limit_bytes: See the attribute.
        **kwargs: As for `socket.socket`.

    Attributes:
        limit_bytes: The most bytes of UTF-8 in a message, in both directions; below 16 MiB.
    """

    def __init__(self, *args: Any, limit_bytes: int = LIMIT_BYTES, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limit_bytes = limit_bytes
        self._decoder = FrameDecoder()
        # Guards _decoder. A thread holds it while it waits for the rest of a message, which another thread would take
        # for a message of its own. Each thread that waits has a deadline.
        self._receiving = threading.Lock()

    @classmethod
    def connect_to(
        cls, address: tuple[str, int], *, timeout_s: float | None = None, limit_bytes: int = LIMIT_BYTES
    ) -> Self:
        """Connect to HOST and PORT, and return the socket, without a timeout of its own.

        Args:
            address: Name or address of the host, and the port; the method tries all addresses of a name.
            timeout_s: Seconds for each address; None for as long as the system tries.
            limit_bytes: See the attribute.

        Raises:
            OSError: No address can be connected to.
        """
        plain = socket.create_connection(address, timeout_s)
        plain.settimeout(None)
        return cls._take_over(plain, limit_bytes)

    def accept(self) -> tuple[Self, Any]:
        """Wait for a client; return its socket, of this class and with the same limit, and its address.

        Raises:
            OSError: As `socket.socket.accept`.
        """
        plain, address = super().accept()
        return self._take_over(plain, self.limit_bytes), address

    def send_message(self, text: str, *, timeout_s: float | None = None) -> None:
        """Send one message; args, errors and threads as with the function `send_message`."""
        send_message(self, text, timeout_s=timeout_s, limit_bytes=self.limit_bytes)

    def receive_message(self, *, timeout_s: float | None = None) -> str | None:
        """Wait for one message and return it; None at the end. Args and errors as with the function `receive_message`.

        If the time is up in the middle of a message, the socket keeps its beginning, and the next call goes on with it.
        Several threads may receive: each message goes to one of them, whole.

        Raises:
            MessageTimeoutError: The message was not complete in time, or other threads received all the time.
        """
        turns = _Turns(self, timeout_s)
        if not turns.acquire(self._receiving):
            raise MessageTimeoutError("Other threads were receiving all the time: no message came for this one.")
        try:
            self._decoder.limit_bytes = self.limit_bytes
            return _receive(turns, self._decoder, "what came of it is kept, receive again to go on with it")
        finally:
            self._receiving.release()

    @classmethod
    def _take_over(cls, plain: socket.socket, limit_bytes: int) -> Self:
        if plain.family in {socket.AF_INET, socket.AF_INET6}:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else small messages wait for each other
        return cls(plain.family, plain.type, plain.proto, fileno=plain.detach(), limit_bytes=limit_bytes)


class _Turns:
    """Makes calls of one socket within one deadline; it waits for the socket in between, so that no call blocks.

    The socket's own timeout stays, since other threads may rely on it. That doesn't work for a TLS socket, which has
    bytes inside the TLS object: there each call gets the rest of the time as its timeout.
    """

    def __init__(self, sock: socket.socket, timeout_s: float | None) -> None:
        self._sock = sock
        self.is_tls = hasattr(sock, "pending")
        chosen = sock.gettimeout() if timeout_s is None else timeout_s
        self._deadline = Deadline.after(chosen)

    def acquire(self, lock: threading.Lock) -> bool:
        """Wait for a lock; return whether this thread has got it in time."""
        return lock.acquire(timeout=min(self._deadline.left_s, threading.TIMEOUT_MAX))

    def send(self, data: memoryview) -> int:
        """Send some of `data`, and return how many bytes; errors as with `receive`."""
        return self._call(select.POLLOUT, lambda *flags: self._sock.send(data, *flags))

    def receive(self, max_bytes: int) -> bytes:
        """Receive some bytes; none at the end.

        Raises:
            _TimeUpError: The time is up.
            ConnectionBrokenError: The connection broke.
        """
        return self._call(select.POLLIN, lambda *flags: self._sock.recv(max_bytes, *flags))

    def _call(self, event: int, call: Callable[..., T]) -> T:
        try:
            return self._call_tls(call) if self.is_tls else self._call_plain(event, call)
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:  # with a number (ETIMEDOUT), TCP has given up
                raise _TimeUpError from error
            raise ConnectionBrokenError(f"The connection broke: {error.strerror or error}.") from error

    def _call_plain(self, event: int, call: Callable[..., T]) -> T:
        # On a socket with a timeout, Python waits inside the call for that timeout, even with this flag. So wait first.
        may_try = not self._sock.gettimeout()
        while True:
            if may_try:
                try:
                    return call(socket.MSG_DONTWAIT)
                except BlockingIOError:
                    pass
            self._wait(event)
            may_try = True

    def _wait(self, event: int) -> None:
        poll = select.poll()  # select.select() can't take descriptors from 1024 on
        try:
            poll.register(self._sock, event)
        except ValueError as error:  # closed by another thread
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from error
        while not poll.poll(self._deadline.left_ms):
            if self._deadline.has_passed:
                raise _TimeUpError

    def _call_tls(self, call: Callable[..., T]) -> T:
        before = self._sock.gettimeout()
        # Zero would mean "don't wait": the last moment is a very short wait instead.
        self._sock.settimeout(None if self._deadline == math.inf else max(self._deadline.left_s, 0.001))
        try:
            return call()
        finally:
            self._sock.settimeout(before)


def _receive(turns: _Turns, decoder: FrameDecoder, if_begun: str) -> str | None:
    try:
        while missing := decoder.count_missing_bytes():
            data = turns.receive(min(missing, READ_BYTES))
            if not data:
                decoder.end()
                return None
            decoder.feed(data)
    except _TimeUpError as error:
        if decoder.has_partial_message:
            raise MessageTimeoutError(f"A message that had begun was not complete in time: {if_begun}.") from error
        raise MessageTimeoutError("No message came in time.") from error
    return decoder.decode_next()


def _find_sending(sock: socket.socket) -> _Sending:
    with _sending_lock:
        return _sending.setdefault(sock, _Sending())
