import contextlib
import select
import socket
from collections.abc import Iterator

import pytest

from sockctl.net.udp.framing import DATAGRAM, FAILURE, find_frames, frame
from sockctl.net.udp.transport import AT_ONCE, DatagramTransport
from tests.support.running import TIMEOUT_S


@contextlib.contextmanager
def pair() -> Iterator[tuple[DatagramTransport, socket.socket]]:
    """Open a transport, and a socket as its other end."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
    ):
        other.bind(("127.0.0.1", 0))
        other.settimeout(TIMEOUT_S)
        own.connect(other.getsockname())
        other.connect(own.getsockname())
        with DatagramTransport(own) as transport:
            transport.setblocking(False)
            yield transport, other


def receive(transport: DatagramTransport) -> list[tuple[int, bytes]]:
    assert transport.pending or select.select([transport], [], [], TIMEOUT_S)[0]
    return [(kind, bytes(content)) for kind, content in find_frames(transport.recv(1))]


def test_each_frame_is_a_datagram() -> None:
    with pair() as (transport, other):
        sent = [b"one", b"", b"x" * 60_000]
        data = b"".join(map(frame, sent))
        assert transport.send(bytearray(data) + b"\0\0") == len(data), "half a head waits for its rest"
        assert [other.recv(70_000) for _ in sent] == sent


def test_each_datagram_is_a_frame() -> None:
    with pair() as (transport, other):
        for each in (b"one", b"", b"two"):
            other.send(each)
        assert receive(transport) == [(DATAGRAM, b"one"), (DATAGRAM, b""), (DATAGRAM, b"two")]
        with pytest.raises(BlockingIOError):
            transport.recv(1)


def test_both_directions_have_their_turn() -> None:
    with pair() as (transport, other):
        many = frame(b"x") * (AT_ONCE + 9)
        assert transport.send(many) == len(frame(b"x")) * AT_ONCE
        for _ in range(AT_ONCE + 9):
            other.send(b"y")
        assert len(receive(transport)) == AT_ONCE


def test_a_refusal_ends_nothing() -> None:
    """It is the error of the next call; the datagram that was to go out goes out all the same."""
    with pair() as (transport, other):
        place = other.getsockname()
        other.close()
        transport.send(frame(b"lost"))
        assert receive(transport) == [(FAILURE, b"refused")]
        transport.send(frame(b"lost"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(place)
            again.settimeout(TIMEOUT_S)
            assert transport.send(frame(b"heard")) == len(frame(b"heard"))
            assert again.recv(10) == b"heard"
            assert transport.pending
            assert receive(transport) == [(FAILURE, b"refused")]
            assert not transport.pending


def test_what_the_system_takes_not_is_told() -> None:
    with pair() as (transport, other):
        transport.send(frame(b"x" * 65_520) + frame(b"next"))
        assert other.recv(10) == b"next"
        assert receive(transport) == [(FAILURE, b"Message too long")]
