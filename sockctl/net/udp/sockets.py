"""The sockets of a server of UDP: each sends its answers from the address that the client asked."""

import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from sockctl.net.udp.reply_address import (
    SPACE_BYTES,
    Ancillary,
    ask_for_reply_address,
    make_reply_address,
    needs_reply_address,
)

BUFFER_BYTES = 65_536
"""More than the longest datagram: 65,535 bytes less the headers."""
_MEMORY = 55
"""SO_MEMINFO of Linux's <asm-generic/socket.h>, which Python doesn't name: counts of 32 bits …"""
_DROPS = struct.Struct("=32xI")
"""… of which the ninth is that of dropped datagrams (SK_MEMINFO_DROPS)."""

Received = tuple[int, Any, Ancillary | None]
"""Bytes of a datagram, its sender's address, and the ancillary data of the answer."""


class DatagramSocket:
    """A bound socket that doesn't block. The server's thread alone uses it, but for `address`.

    A socket that is bound to one address asks for no ancillary data. A socket on every interface has the
    kernel name the address that was asked (`sockctl.net.udp.reply_address`). That costs a quarter of the speed.

    Args:
        sock: The socket; the caller closes it.
        buffer: Where it receives; all sockets of a server may share it.
        buffer_bytes: The wanted size of the kernel's receive buffer.

    Attributes:
        address: The address that it is bound to.
        port: Its port.
        buffer_bytes: The size of the kernel's receive buffer.
        receive: Receives a datagram. Raises BlockingIOError where none waits.
        send: Sends a datagram; takes its bytes, the receiver, and the ancillary data.
        no_answer: The ancillary data of a datagram that must get no answer.
    """

    def __init__(self, sock: socket.socket, buffer: bytearray, buffer_bytes: int) -> None:
        self._sock = sock
        self._dropped = 0
        self.address, self.port = sock.getsockname()[:2]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.buffer_bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self.no_answer: Ancillary = (-1, -1, b"")
        self.receive: Callable[[], Received]
        self.send: Callable[[Any, Any, Ancillary | None], object]
        if needs_reply_address(sock):
            ask_for_reply_address(sock)
            self.receive, self.send = _make_calls_with_ancillary(sock, buffer, self.no_answer)
        else:
            self.receive, self.send = _make_plain_calls(sock, buffer)

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._sock.fileno()

    def pop_dropped(self) -> int:
        """Return how many datagrams the kernel has dropped since the last call; 0 where it doesn't say."""
        if sys.platform != "linux":
            return 0
        try:
            (total,) = _DROPS.unpack(self._sock.getsockopt(socket.SOL_SOCKET, _MEMORY, _DROPS.size))
        except (OSError, struct.error):  # an old kernel
            return 0
        before, self._dropped = self._dropped, int(total)
        return (self._dropped - before) % (1 << 32)


def _make_plain_calls(
    sock: socket.socket, buffer: bytearray
) -> tuple[Callable[[], Received], Callable[[Any, Any, Ancillary | None], object]]:
    receive_into, send_to = sock.recvfrom_into, sock.sendto

    def receive() -> Received:
        size, address = receive_into(buffer)
        return size, address, None

    def send(data: Any, address: Any, _: Ancillary | None) -> object:
        return send_to(data, address)

    return receive, send


def _make_calls_with_ancillary(
    sock: socket.socket, buffer: bytearray, no_answer: Ancillary
) -> tuple[Callable[[], Received], Callable[[Any, Any, Ancillary | None], object]]:
    buffers = [buffer]
    receive_into, send_message = sock.recvmsg_into, sock.sendmsg

    def receive() -> Received:
        size, received, _, address = receive_into(buffers, SPACE_BYTES)
        return size, address, make_reply_address(received) or no_answer

    def send(data: Any, address: Any, ancillary: Ancillary | None) -> object:
        return send_message([data], [] if ancillary is None else [ancillary], 0, address)

    return receive, send
