"""The sending side of a connection: the kernel takes bytes at once, and the outbox keeps the rest. Any thread may send.

One lock guards the outbox, each send and the counts. The slots that each message needs stand in a base class, so that
they come before all others.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sockctl.net.transport import Transport

S = TypeVar("S", bound="SendingSide")
OUTBOX_BYTES = 262_144
"""Bytes of other clients' messages that may wait for a client; the server drops a client that exceeds them."""
_LOCKS = [threading.Lock() for _ in range(64)]
"""Connections share these by their number, as event threads share connections: two, four, … of them have their own."""


class _Hot:
    """The slots that each message needs."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "can_send_now",
        "further_in",
        "further_out",
        "handler",
        "is_touched",
        "last_active",
        "lock",
        "portion",
        "reads",
        "sends",
        "sock",
        "state",
    )


class SendingSide(_Hot):
    """The sending side of a connection.

    Args:
        sock: The socket, or TLS over it; non-blocking.
        number: The connection's number, counted from 1 since the server's start.
        portion: Bytes in a portion, the unit in which data events count.

    Attributes:
        sends: How many calls of send() have taken bytes.
        further_out: Portions sent beyond one a call; negative where calls have taken parts of portions.
        can_send_now: Whether posted bytes are sent at once: the outbox is empty, and `may_send` holds.
        may_send: Whether posted bytes are sent at all: the connection is neither broken nor ending.
        outbox: The bytes that the kernel has not taken yet.
        on_post: Called by any thread when the outbox has bytes, or traffic is to be emitted. The event loop sets it.
        error: The error that broke the connection.
    """

    __slots__ = ("_partial", "error", "may_send", "number", "on_post", "outbox", "replied_until")

    def __init__(self, sock: Transport, number: int, portion: int) -> None:
        self.sock = sock
        self.number = number
        # Guards outbox, can_send_now, every send, the out counts, and closing against sending; no two are held at once.
        self.lock = _LOCKS[number % len(_LOCKS)]
        self.outbox = bytearray()
        self.may_send = True
        self.can_send_now = True
        self.portion = portion
        self.bytes_out = self.sends = self.further_out = self._partial = 0
        self.replied_until = 0  # how many bytes will have been sent when the last of the service's own replies is out
        self.is_touched = False
        self.error: OSError | None = None
        self.on_post: Callable[[Any], None] = lambda _: None  # until the event loop knows the connection

    def note_error(self, error: OSError) -> None:
        """Note the error that broke the connection, without its traceback, whose frames would keep objects alive."""
        self.error = error.with_traceback(None)

    def post(self, data: bytes | memoryview, bound: int | None = None) -> bool:
        """Send `data` without waiting; bytes that the kernel doesn't take go to the outbox. Any thread may call this.

        On a connection that is broken or ending `post` does nothing: the owner knows. The hot path of an echo, so its
        usual way calls nothing else.

        Args:
            data: The bytes.
            bound: For other clients' messages: bytes of them that may wait, those up to the service's own last reply
                not counted. None for any number.

        Returns:
            False where the bytes would have exceeded `bound`; then they are dropped.
        """
        size = len(data)
        sent = 0
        lock = self.lock
        lock.acquire()  # `with` costs twice as much
        try:
            if self.can_send_now:
                try:
                    sent = self.sock.send(data)
                except OSError:
                    sent = 0  # `_queue` tries again, and notes what is wrong
                if sent == size:
                    self.bytes_out += size
                    self.sends += 1
                    if size > self.portion:
                        self.further_out += (size - 1) // self.portion
                    if self.is_touched:
                        return True
            if sent < size and self.may_send and not self._queue(data, bound, sent=sent):
                return False
        finally:
            lock.release()
        if not (self.can_send_now and self.is_touched):
            self.on_post(self)
        return True

    def post_made(self, make: Callable[[], bytes], *, bound: int | None = None) -> bool:
        """As `post`, for bytes that `make` returns under the lock, when their place in the stream is certain.

        Args:
            make: Makes the bytes; must not block. `post_made` doesn't call it on a connection that is broken or ending.
            bound: As for `post`; None says that the bytes are the service's own reply.

        Returns:
            False where the bytes would have exceeded `bound`; then they are dropped.
        """
        with self.lock:
            if not self.may_send:
                return True
            data = make()
            if not self._queue(data, bound):
                return False
            if bound is None:
                self.replied_until = self.bytes_out + len(self.outbox)
        if not (self.can_send_now and self.is_touched):
            self.on_post(self)
        return True

    def _queue(self, data: bytes | memoryview, bound: int | None, *, sent: int = 0) -> bool:
        """Send bytes or put them into the outbox, under the lock; return whether they were within the bound.

        Args:
            data: The bytes.
            bound: As for `post`.
            sent: Bytes of `data` that were just sent and are not counted yet; only where the outbox was empty.
        """
        outbox = self.outbox
        if sent:
            self.bytes_out += sent
            self._count_part(sent, last=False)
            outbox += data[sent:]
            self.can_send_now = False
            return True
        if not outbox:
            if data:
                sent = self._send(data)
                if sent < len(data) and self.error is None:
                    outbox += data[sent:]
                    self.can_send_now = False
            return True
        if bound is not None:
            own = max(0, self.replied_until - self.bytes_out)
            if len(outbox) - own + len(data) > bound:
                return False
        outbox += data
        return True

    def send_now(self, data: bytes | memoryview) -> int:
        """Send as much of `data` as the kernel takes at once, past the outbox; return how many bytes.

        For an owner that keeps the rest itself, and posts nothing. `error` tells what broke the connection.
        """
        with self.lock:
            return self._send(data)

    def flush(self) -> bool:
        """Send the bytes of the outbox, as far as the kernel takes them.

        Returns:
            Whether any bytes went out.
        """
        with self.lock:
            sent = self._send(self.outbox)
            del self.outbox[:sent]
            if self.error is not None:
                self.outbox.clear()
            self.can_send_now = self.may_send and not self.outbox
        return sent > 0

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        """Send once, under the lock, and count. A portion counts when its last byte went out."""
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.note_error(error)  # the event thread tells it: send() may be the only call that ever reports it
            self.may_send = self.can_send_now = False
            return 0
        self.bytes_out += sent
        if sent == len(data) and not self._partial:
            self.sends += 1
            self.further_out += -(-sent // self.portion) - 1
            return sent
        self._count_part(sent, last=sent == len(data))
        return sent

    def _count_part(self, sent: int, *, last: bool) -> None:
        """Count a call that took a part of the bytes; with `last` none is left."""
        whole = self._partial + sent
        self.sends += 1
        if last:
            self._partial = 0
            self.further_out += -(-whole // self.portion) - 1
        else:
            self.further_out += whole // self.portion - 1
            self._partial = whole % self.portion


def post_to_each(connections: Iterable[S], data: bytes, bound: int) -> list[S]:
    """As `SendingSide.post` on each connection; return those where the bytes would have exceeded `bound`.

    The hot path of a chat: it repeats the usual way of `post`, which spares a call for each delivery.
    """
    size = len(data)
    beyond = []
    for connection in connections:
        sent = 0
        lock = connection.lock
        lock.acquire()
        try:
            if connection.can_send_now:
                try:
                    sent = connection.sock.send(data)
                except OSError:
                    sent = 0
                if sent == size:
                    connection.bytes_out += size
                    connection.sends += 1
                    if size > connection.portion:
                        connection.further_out += (size - 1) // connection.portion
                    if connection.is_touched:
                        continue
            if sent < size and connection.may_send and not connection._queue(data, bound, sent=sent):
                beyond.append(connection)
                continue
        finally:
            lock.release()
        if not (connection.can_send_now and connection.is_touched):
            connection.on_post(connection)
    return beyond
