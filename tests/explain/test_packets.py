import dataclasses
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.explain.packets import (
    Acknowledgments,
    Fate,
    Head,
    Numbering,
    Packet,
    Protocol,
    decode_head,
    turn_back,
)

CLIENT, SERVER = 40_000, 80
ADDRESSES = bytes([10, 0, 0, 1, 10, 0, 0, 2])


def make_ip(number: int, payload: bytes, *, options: bytes = b"") -> bytes:
    size = 20 + len(options)
    first = 4 << 4 | size // 4
    return struct.pack("!BBHHHBBH", first, 0, size + len(payload), 1, 0, 64, number, 0) + ADDRESSES + options + payload


def make_tcp(bits: int, payload: bytes = b"", *, sequence: int = 7, options: bytes = b"") -> bytes:
    offset = (20 + len(options)) // 4 << 4
    return struct.pack("!HHIIBBHHH", CLIENT, SERVER, sequence, 9, offset, bits, 1024, 0, 0) + options + payload


def make_udp(payload: bytes) -> bytes:
    return struct.pack("!HHHH", CLIENT, SERVER, 8 + len(payload), 0) + payload


def test_tcp_is_decoded_behind_options() -> None:
    head = decode_head(make_ip(6, make_tcp(0x18, b"hello", options=bytes(12)), options=bytes(4)))
    assert head == Head(
        protocol=Protocol.TCP,
        source_port=CLIENT,
        target_port=SERVER,
        flags="PSH+ACK",
        sequence=7,
        acknowledgment=9,
        payload_bytes=5,
    )


@pytest.mark.parametrize(
    ("bits", "flags"), [(0x02, "SYN"), (0x12, "SYN+ACK"), (0x11, "FIN+ACK"), (0x14, "RST+ACK"), (0x20, "")]
)
def test_flags_have_names(bits: int, flags: str) -> None:
    head = decode_head(make_ip(6, make_tcp(bits)))
    assert head is not None
    assert head.flags == flags
    assert head.acknowledgment == (9 if "ACK" in flags else 0)


def test_udp_is_decoded() -> None:
    head = decode_head(make_ip(17, make_udp(b"abc")) + b"padding")
    assert head == Head(protocol=Protocol.UDP, source_port=CLIENT, target_port=SERVER, payload_bytes=3)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes(19),
        b"\x60" + bytes(60),  # IPv6
        make_ip(1, bytes(8)),  # ICMP
        make_ip(6, make_tcp(2)[:19]),
        make_ip(17, make_udp(b"")[:7]),
        make_ip(17, struct.pack("!HHHH", 1, 2, 9, 0)),  # a length beyond the end
        make_ip(17, struct.pack("!HHHH", 1, 2, 7, 0)),  # one below its own head
        make_ip(6, make_tcp(2))[:30],  # cut
        b"\x44" + make_ip(6, make_tcp(2))[1:],  # an IPv4 head of 16 bytes
        make_ip(6, make_tcp(2)[:12] + b"\x40" + make_tcp(2)[13:]),  # a TCP head of 16 bytes
        make_ip(6, make_tcp(2)[:12] + b"\xf0" + make_tcp(2)[13:]),  # one of 60, of which 20 are there
    ],
)
def test_what_is_no_whole_packet_is_none(packet: bytes) -> None:
    assert decode_head(packet) is None


@given(st.binary(max_size=120), st.sampled_from([b"", b"\x45", b"\x46\x00\x00\x30"]))
def test_no_bytes_are_too_much(data: bytes, start: bytes) -> None:
    head = decode_head(start + data)
    assert head is None or 0 <= head.payload_bytes <= len(start + data) - 28


def test_a_packet_turns_back_to_where_it_came_from() -> None:
    packet = make_ip(17, make_udp(b"abc"))
    back = turn_back(packet)
    assert (back[12:16], back[16:20]) == (packet[16:20], packet[12:16])
    assert (back[:12], back[20:]) == (packet[:12], packet[20:])
    assert turn_back(back) == packet


def make_head(
    flags: str, sequence: int, acknowledgment: int = 0, payload_bytes: int = 0, *, back: bool = False
) -> Head:
    source, target = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    return Head(
        protocol=Protocol.TCP,
        source_port=source,
        target_port=target,
        flags=flags,
        sequence=sequence,
        acknowledgment=acknowledgment,
        payload_bytes=payload_bytes,
    )


LAST = (1 << 32) - 1
TALK = (
    make_head("SYN", LAST),
    make_head("SYN+ACK", 1000, 0, back=True),
    make_head("ACK", 0, 1001),
    make_head("PSH+ACK", 0, 1001, 5),
    make_head("ACK", 1001, 5, back=True),
)


def number(heads: tuple[Head, ...]) -> list[Packet]:
    numbering = Numbering()
    return [numbering.make_packet(head, float(at), Fate.ARRIVED) for at, head in enumerate(heads)]


def test_numbers_begin_at_the_syn_and_go_beyond_the_last_one() -> None:
    packets = number(TALK)
    assert [(packet.sequence, packet.acknowledgment) for packet in packets] == [(0, 0), (0, 1), (1, 1), (1, 1), (1, 6)]
    assert [packet.at_s for packet in packets] == [0, 1, 2, 3, 4]
    assert packets[3].describe() == "PSH+ACK(5)"
    assert packets[3].has("ACK", "PSH")
    assert not packets[3].has("SYN")
    assert packets[3].goes_to(SERVER)


def test_numbers_of_a_connection_that_was_there_before_begin_at_its_first_packet() -> None:
    packets = number(TALK[3:])
    assert [(packet.sequence, packet.acknowledgment) for packet in packets] == [(0, 0), (0, 5)]


def note(packets: list[Packet]) -> list[bool]:
    acknowledgments = Acknowledgments()
    complete = []
    for packet in packets:
        acknowledgments.note(packet)
        complete.append(acknowledgments.complete)
    return complete


def test_what_waits_for_an_acknowledgment_is_known() -> None:
    assert note(number(TALK)) == [False, False, True, False, True]


def test_an_acknowledgment_of_a_part_is_not_all() -> None:
    packets = number((*TALK[:4], make_head("PSH+ACK", 5, 1001, 5), TALK[4], make_head("ACK", 1001, 10, back=True)))
    assert note(packets)[3:] == [False, False, False, True]


def test_a_reset_ends_the_waiting() -> None:
    packets = number((*TALK[:4], make_head("RST", 1001, back=True)))
    assert note(packets)[3:] == [False, True]


def test_a_datagram_waits_for_nothing() -> None:
    fields: dict[str, Any] = {"protocol": Protocol.UDP, "flags": ""}
    assert note([dataclasses.replace(number(TALK)[3], **fields)]) == [True]
    assert dataclasses.replace(number(TALK)[3], **fields).describe() == "UDP(5)"
