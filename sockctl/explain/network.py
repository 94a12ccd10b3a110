"""What a topic measures on: a network with two addresses, where a server listens and where a client finds it."""

import socket
import time
from dataclasses import dataclass
from typing import Protocol

from sockctl.explain.packets import Packet
from sockctl.explain.tcp_states import read_rows

TIMEOUT_S = 5.0
"""How long a call of a topic may block before the topic fails."""
_MOMENT_S = 0.05
"""What loopback needs to deliver, and a receiver to acknowledge late (40 ms)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link does with the packets.

    Attributes:
        delay_s: How long each packet is under way.
        drop: The share of packets that get lost, from 0 to 1.
        overtake: The share of packets that arrive behind the next one, from 0 to 1.
    """

    delay_s: float = 0.0
    drop: float = 0.0
    overtake: float = 0.0


class Network(Protocol):
    """What a topic measures on."""

    @property
    def host(self) -> str:
        """The address where a topic's server listens."""
        ...

    @property
    def target(self) -> str:
        """The address where its client finds that server."""
        ...

    @property
    def sees_packets(self) -> bool:
        """Whether packets can be seen, dropped and delayed."""
        ...

    def now_s(self) -> float:
        """Return the time on the clock of the packets."""
        ...

    def set_link(self, link: Link) -> None:
        """Let the link treat each further packet like this; without packets nothing changes."""
        ...

    def set_mtu(self, mtu_bytes: int) -> None:
        """Let each further packet have that many bytes at most; without packets nothing changes."""
        ...

    def settle(self) -> None:
        """Wait until all that was sent has arrived and is acknowledged, and no packet follows."""
        ...

    def take_packets(self) -> list[Packet]:
        """Return the packets that were sent since the last call; none where they can't be seen."""
        ...


class Loopback:
    """The network where the packet lab is refused: real sockets, but no packets to see."""

    host = target = "127.0.0.1"
    sees_packets = False

    def __init__(self) -> None:
        self._opened = time.perf_counter()

    def now_s(self) -> float:
        """Return the seconds since this network was made."""
        return time.perf_counter() - self._opened

    def set_link(self, link: Link) -> None:
        """Change nothing: loopback loses and delays no packet."""

    def set_mtu(self, mtu_bytes: int) -> None:
        """Change nothing: the packets can't be seen."""

    def settle(self) -> None:
        """Wait a moment: the packets can't be watched here."""
        time.sleep(_MOMENT_S)

    def take_packets(self) -> list[Packet]:
        """Return nothing."""
        return []


def listen(network: Network, backlog: int = 128) -> socket.socket:
    """Return a listening socket at a free port of the network's `host`, with a timeout on `accept`.

    No connection of before has that port: one that is still in TIME-WAIT would stand among the topic's own.
    """
    while True:
        listener = socket.create_server((network.host, 0), backlog=backlog)
        if len(read_rows(find_port(listener)) or ()) <= 1:
            listener.settimeout(TIMEOUT_S)
            return listener
        listener.close()


def find_port(sock: socket.socket) -> int:
    """Return the local port of a socket."""
    return int(sock.getsockname()[1])


def connect_pair(network: Network) -> tuple[socket.socket, socket.socket]:
    """Return both ends of a new connection, the client's and the server's, each with a timeout."""
    with listen(network) as listener:
        client = socket.create_connection((network.target, find_port(listener)), TIMEOUT_S)
        server, _ = listener.accept()
    server.settimeout(TIMEOUT_S)
    return client, server


def receive_exactly(sock: socket.socket, count: int) -> bytes:
    """Return the next `count` bytes of a connection; fewer at its end."""
    data = b""
    while len(data) < count and (part := sock.recv(count - len(data))):
        data += part
    return data
