"""The own address to which a client sent a datagram, so that the answer comes from there.

A socket that is bound to one address needs none of this. A socket on every interface would answer from the address that
the routes choose. A client that has asked another address would drop that answer. The kernel gives the address beside
each datagram (IP_PKTINFO, ip(7); IPV6_PKTINFO, RFC 3542 section 6), and takes it back with the answer.
"""

import socket
import struct
import sys

_IP_PKTINFO = 26 if sys.platform == "darwin" else 8
"""Python's socket module doesn't name it; from <netinet/in.h> and Linux's <linux/in.h>."""
_RECEIVE_IPV6 = getattr(socket, "IPV6_RECVPKTINFO", 49)
_IPV6_PKTINFO = getattr(socket, "IPV6_PKTINFO", 50)
_IN6 = struct.Struct("=16sI")
"""Struct in6_pktinfo: the address, and the number of the interface."""
SPACE_BYTES = socket.CMSG_SPACE(_IN6.size) if hasattr(socket, "CMSG_SPACE") else 64
"""Room for either of them beside a datagram."""
_ANY = {"0.0.0.0", "::"}  # noqa: S104  compared, not bound
_MULTICAST, _LINK_LOCAL = 0xFF, b"\xfe\x80"

Ancillary = tuple[int, int, bytes]
"""Data beside a datagram: level, type and bytes, as recvmsg() gives them and sendmsg() takes them."""


def needs_reply_address(sock: socket.socket) -> bool:
    """Return whether a bound socket takes datagrams to several addresses."""
    return sock.getsockname()[0] in _ANY


def ask_for_reply_address(sock: socket.socket) -> None:
    """Have the kernel name the address to which each datagram was sent."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _RECEIVE_IPV6, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def make_reply_address(ancillary: list[Ancillary]) -> Ancillary | None:
    """Return the ancillary data of the answer, from that of the datagram; None for broadcast or multicast.

    The interface is left open, so that the answer goes as the routes say; but a link-local address needs it.
    """
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            # struct in_pktinfo: interface, the own address for an answer, the address in the header
            return (level, kind, bytes(4) + data[4:8] + bytes(4)) if data[4:8] == data[8:12] else None
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            if data[0] == _MULTICAST:
                return None
            return level, kind, data if data.startswith(_LINK_LOCAL) else data[:16] + bytes(4)
    return None
