"""Asks the kernel about a TCP connection, or about a listening socket: Linux's TCP_INFO.

The kernel gives a structure that grows from version to version (linux/tcp.h). The fields read here have stood in it, in
this order, since Linux 2.6.
"""

import socket
import struct
from typing import Any, NamedTuple

_FORM = struct.Struct("=8B24I")
"""The structure's beginning: eight bytes, then 24 numbers of 32 bits up to tcpi_total_retrans."""
_STATE, _UNACKED, _SACKED, _RTT, _TOTAL_RETRANS = 0, 12, 13, 23, 31
STATES = (
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
)
"""The names of the kernel's states, by number (linux/tcp_states.h)."""


class TcpInfo(NamedTuple):
    """What the kernel knows of a connection.

    Attributes:
        state: The state of TCP, such as ``ESTABLISHED`` or ``CLOSE_WAIT``.
        rtt_us: The smoothed time of a round trip, in microseconds; 0 where none was measured.
        retransmits: How many segments were sent again.
    """

    state: str
    rtt_us: int
    retransmits: int


class Backlog(NamedTuple):
    """The connections that wait at a listening socket for accept(), and the size that listen() gave its backlog."""

    waiting: int
    size: int

    @property
    def max_waiting(self) -> int:
        """How many may wait: Linux, which alone tells them, refuses once more wait than the size (listen(2))."""
        return self.size + 1


def read_tcp_info(sock: Any) -> TcpInfo | None:
    """Return what the kernel knows of a connection; None where the system doesn't tell.

    Args:
        sock: The socket, or a transport over it.
    """
    fields = _read(sock)
    if fields is None:
        return None
    number = fields[_STATE]
    state = STATES[number] if number < len(STATES) else str(number)
    return TcpInfo(state, fields[_RTT], fields[_TOTAL_RETRANS])


def read_backlog(listener: socket.socket) -> Backlog | None:
    """Return how many connections wait at a listening socket; None where the system doesn't tell."""
    fields = _read(listener)
    return None if fields is None else Backlog(fields[_UNACKED], fields[_SACKED])


def _read(sock: Any) -> tuple[int, ...] | None:
    ask = getattr(sock, "getsockopt", None)
    name = getattr(socket, "TCP_INFO", None)
    if ask is None or name is None:
        return None
    try:
        answer: bytes = ask(socket.IPPROTO_TCP, name, _FORM.size)
    except OSError:
        return None  # it is closed, or no TCP socket
    return _FORM.unpack(answer) if len(answer) == _FORM.size else None
