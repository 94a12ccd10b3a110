import socket
import sys

import pytest

from sockctl.net.udp.reply_address import make_reply_address

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the numbers are Linux's")
HOST, OTHER = bytes([192, 0, 2, 7]), bytes([192, 0, 2, 255])


def test_ipv4_answers_from_the_address_and_leaves_the_interface_open() -> None:
    given = [(socket.IPPROTO_IP, 8, b"\2\0\0\0" + HOST + HOST)]
    assert make_reply_address(given) == (socket.IPPROTO_IP, 8, bytes(4) + HOST + bytes(4))


def test_broadcast_gets_none() -> None:
    assert make_reply_address([(socket.IPPROTO_IP, 8, b"\2\0\0\0" + HOST + OTHER)]) is None


@pytest.mark.parametrize(("address", "interface"), [("2001:db8::7", 0), ("::1", 0), ("fe80::1", 3), ("ff02::1", None)])
def test_ipv6(address: str, interface: int | None) -> None:
    packed = socket.inet_pton(socket.AF_INET6, address)
    given = [(socket.IPPROTO_IPV6, 50, packed + (3).to_bytes(4, sys.byteorder))]
    if interface is None:
        assert make_reply_address(given) is None
    else:
        wanted = packed + interface.to_bytes(4, sys.byteorder)
        assert make_reply_address(given) == (socket.IPPROTO_IPV6, 50, wanted)


def test_nothing_known() -> None:
    assert make_reply_address([(1, 2, b"x")]) is None
