"""Sends the same numbered pieces over UDP and over TCP, and notes which of them arrive."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from itertools import pairwise

from sockctl.explain.network import TIMEOUT_S, Link, Network, connect_pair, find_port
from sockctl.explain.packets import Fate
from sockctl.net.tcp_info import read_tcp_info

COUNT, PIECE_BYTES = 100, 400
_PIECES = [number.to_bytes(2).ljust(PIECE_BYTES, b".") for number in range(COUNT)]
_BUFFER_BYTES = 8192
"""UDP's receive buffer on loopback, which loses nothing unless that is full."""
_QUIET_S = 0.3
"""How long nothing comes before all datagrams that come at all have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """How the pieces went over one protocol.

    Attributes:
        arrived: The numbers of the pieces, in the order in which the receiver's program got them.
        seconds: How long it took from the first send until the last piece.
        packets: How many packets with data were sent; None where they can't be seen.
        dropped: The places of those that the link dropped, in the order of sending.
        sent_again: How many segments TCP has sent again; None for UDP, and where the system doesn't tell.
    """

    arrived: tuple[int, ...]
    seconds: float
    packets: int | None
    dropped: tuple[int, ...]
    sent_again: int | None

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the pieces that did not arrive."""
        return tuple(sorted(set(range(COUNT)) - set(self.arrived)))

    @property
    def out_of_order(self) -> int:
        """How many pieces came behind one that was sent later."""
        return sum(after < before for before, after in pairwise(self.arrived))


def send_datagrams(network: Network, link: Link) -> Transfer:
    """Send the pieces over UDP, as fast as it goes."""
    data = b""
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind((network.host, 0))
        if not network.sees_packets:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        network.set_link(link)
        began = ended = network.now_s()
        for piece in _PIECES:
            sender.sendto(piece, (network.target, find_port(receiver)))
        for timeout in (_QUIET_S, 0.0):  # a second time for what comes late on a busy machine
            receiver.settimeout(timeout)
            with contextlib.suppress(TimeoutError, BlockingIOError):
                while True:
                    data += receiver.recv(PIECE_BYTES)
                    ended = network.now_s()
            network.settle()
    return _note(network, data, ended - began, None)


def send_stream(network: Network, link: Link) -> Transfer:
    """Send the pieces over TCP, on a connection that was made over a link without loss."""
    network.set_link(Link())
    client, server = connect_pair(network)
    network.settle()
    network.take_packets()
    network.set_link(link)
    received = bytearray()
    with client, server:
        began = ended = network.now_s()
        sending = threading.Thread(target=client.sendall, args=(b"".join(_PIECES),), daemon=True)
        sending.start()
        deadline = time.monotonic() + TIMEOUT_S
        with contextlib.suppress(TimeoutError):
            while len(received) < COUNT * PIECE_BYTES and (left := deadline - time.monotonic()) > 0:
                server.settimeout(left)
                received += server.recv(COUNT * PIECE_BYTES)
                ended = network.now_s()
        network.set_link(Link())
        sending.join()
        info = read_tcp_info(client)
        return _note(network, bytes(received), ended - began, None if info is None else info.retransmits)


def _note(network: Network, data: bytes, seconds: float, sent_again: int | None) -> Transfer:
    whole = len(data) - len(data) % PIECE_BYTES
    packets = [packet for packet in network.take_packets() if packet.payload_bytes]
    lost = tuple(at for at, packet in enumerate(packets) if packet.fate is Fate.DROPPED)
    return Transfer(
        arrived=tuple(int.from_bytes(data[at : at + 2]) for at in range(0, whole, PIECE_BYTES)),
        seconds=seconds,
        packets=len(packets) if network.sees_packets else None,
        dropped=lost,
        sent_again=sent_again,
    )
