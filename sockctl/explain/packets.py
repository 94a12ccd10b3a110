"""Decodes packets: the heads of IPv4 (RFC 791, 3.1), TCP (RFC 9293, 3.1) and UDP (RFC 768).

It is pure: bytes in, facts out. A program that sees both ends of a connection numbers its bytes from 0, as Wireshark
does; the real numbers begin anywhere.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Self

_IP = struct.Struct("!BBHHHBBH4s4s")
_TCP = struct.Struct("!HHIIBBHHH")
_UDP = struct.Struct("!HHHH")
_TCP_NUMBER, _UDP_NUMBER = 6, 17
_WORD_BYTES = 4
"""The unit in which IPv4 and TCP give the length of their heads."""
_NUMBERS = 1 << 32
"""Sequence numbers begin again at 0 behind the last one."""
_FLAGS = ((0x02, "SYN"), (0x01, "FIN"), (0x04, "RST"), (0x08, "PSH"), (0x10, "ACK"))


class Protocol(enum.StrEnum):
    """What an IPv4 packet carries."""

    TCP = "tcp"
    UDP = "udp"


class Fate(enum.StrEnum):
    """What the link did with a packet."""

    ARRIVED = "arrived"
    DROPPED = "dropped"
    OVERTAKEN = "overtaken"
    """It arrived, behind the packet that was sent after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the heads of a packet say.

    Attributes:
        protocol: TCP or UDP.
        source_port: The sender's port.
        target_port: The receiver's port.
        flags: TCP's flags, such as ``SYN+ACK``; empty for UDP.
        sequence: The number of the first byte, as it is sent; 0 for UDP.
        acknowledgment: The number of the byte that the sender expects next; 0 without the flag ACK.
        payload_bytes: How many bytes of the program's data the packet carries.
    """

    protocol: Protocol
    source_port: int
    target_port: int
    flags: str = ""
    sequence: int = 0
    acknowledgment: int = 0
    payload_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet that went over the link.

    Attributes:
        at_s: When it was sent, in seconds since the link was opened.
        fate: What the link did with it.
        protocol: TCP or UDP.
        source_port: The sender's port.
        target_port: The receiver's port.
        flags: TCP's flags, such as ``SYN+ACK``; empty for UDP.
        sequence: The number of the first byte, counted from the sender's SYN.
        acknowledgment: The number of the byte that the sender expects next, counted from the other side's SYN.
        payload_bytes: How many bytes of the program's data the packet carries.
    """

    at_s: float
    fate: Fate
    protocol: Protocol
    source_port: int
    target_port: int
    flags: str
    sequence: int
    acknowledgment: int
    payload_bytes: int

    def goes_to(self, port: int) -> bool:
        """Return whether the packet goes to the side that has this port."""
        return self.target_port == port

    def has(self, *flags: str) -> bool:
        """Return whether the packet has all of these flags."""
        return set(flags) <= set(self.flags.split("+"))

    def describe(self) -> str:
        """Return the flags and the length of the data: ``PSH+ACK(5)``."""
        name = self.flags or self.protocol.upper()
        return f"{name}({self.payload_bytes:,})" if self.payload_bytes else name


class Numbering:
    """Counts the bytes of each connection from its beginning. Not thread-safe."""

    def __init__(self) -> None:
        self._first: dict[tuple[int, int], int] = {}  # by source and target port

    def make_packet(self, head: Head, at_s: float, fate: Fate) -> Packet:
        """Return the packet with numbers that begin at 0."""
        way, back = (head.source_port, head.target_port), (head.target_port, head.source_port)
        if "SYN" in head.flags:
            self._first[way] = head.sequence
        sequence = (head.sequence - self._first.setdefault(way, head.sequence)) % _NUMBERS
        acknowledgment = 0
        if "ACK" in head.flags:
            acknowledgment = (head.acknowledgment - self._first.get(back, head.acknowledgment)) % _NUMBERS
        return Packet(
            at_s=at_s,
            fate=fate,
            protocol=head.protocol,
            source_port=head.source_port,
            target_port=head.target_port,
            flags=head.flags,
            sequence=sequence,
            acknowledgment=acknowledgment,
            payload_bytes=head.payload_bytes,
        )


class Acknowledgments:
    """Knows whether each side of each connection has acknowledged what the other one has sent. Not thread-safe."""

    def __init__(self) -> None:
        self._sent: dict[tuple[int, int], int] = {}  # the number behind the last byte, by source and target port

    @property
    def complete(self) -> bool:
        """Whether nothing waits for its acknowledgment."""
        return not self._sent

    def note(self, packet: Packet) -> None:
        """Take note of a packet; UDP acknowledges none."""
        if packet.protocol is Protocol.UDP:
            return
        way, back = (packet.source_port, packet.target_port), (packet.target_port, packet.source_port)
        if packet.has("RST"):
            self._sent.pop(way, None)
            self._sent.pop(back, None)
            return
        if packet.has("ACK") and packet.acknowledgment >= self._sent.get(back, 0):
            self._sent.pop(back, None)
        if length := packet.payload_bytes + packet.has("SYN") + packet.has("FIN"):
            self._sent[way] = max(self._sent.get(way, 0), packet.sequence + length)


@dataclass(frozen=True, slots=True)
class _Ip:
    """The head of IPv4.

    Attributes:
        head_bytes: Its length.
        total_bytes: The length of the packet.
        number: The number of the protocol inside.
    """

    head_bytes: int
    total_bytes: int
    number: int

    @classmethod
    def decode(cls, packet: bytes) -> Self | None:
        """Return the head; None if there is none of version 4."""
        if len(packet) < _IP.size:
            return None
        first, _, total, _, _, _, number, *_ = _IP.unpack_from(packet)
        head = (first & 15) * _WORD_BYTES
        if first >> 4 != 4 or head < _IP.size or not head <= total <= len(packet):  # noqa: PLR2004  version 4
            return None
        return cls(head, total, number)


def decode_head(packet: bytes) -> Head | None:
    """Return what the heads of a packet say; None unless it is a whole packet of IPv4 with TCP or UDP."""
    ip = _Ip.decode(packet)
    if ip is None:
        return None
    room = ip.total_bytes - ip.head_bytes
    if ip.number == _UDP_NUMBER and room >= _UDP.size:
        source, target, length, _ = _UDP.unpack_from(packet, ip.head_bytes)
        if not _UDP.size <= length <= room:
            return None
        return Head(protocol=Protocol.UDP, source_port=source, target_port=target, payload_bytes=length - _UDP.size)
    if ip.number == _TCP_NUMBER and room >= _TCP.size:
        source, target, sequence, acknowledgment, offset, bits, *_ = _TCP.unpack_from(packet, ip.head_bytes)
        head = (offset >> 4) * _WORD_BYTES
        if not _TCP.size <= head <= room:
            return None
        flags = "+".join(name for bit, name in _FLAGS if bits & bit)
        return Head(
            protocol=Protocol.TCP,
            source_port=source,
            target_port=target,
            flags=flags,
            sequence=sequence,
            acknowledgment=acknowledgment if "ACK" in flags else 0,
            payload_bytes=room - head,
        )
    return None


def turn_back(packet: bytes) -> bytes:
    """Return an IPv4 packet with source and target address in each other's place; its checksums stay right."""
    return packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
