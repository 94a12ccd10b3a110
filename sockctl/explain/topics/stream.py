"""``stream``: TCP keeps no borders between sends; UDP does, and a length in front does."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from sockctl.explain.network import TIMEOUT_S, Network, connect_pair, find_port
from sockctl.explain.packets import Packet
from sockctl.explain.topic import Block, Call, Ladder, Table, Topic
from sockctl.net.message_socket import receive_message, send_message
from sockctl.text import format_count

FIRST, SECOND = "one", "two"
_ROOM_BYTES = 100
_LONG_BYTES, _PORTION_BYTES = 2500, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What was measured.

    Attributes:
        sees_packets: Whether packets could be seen.
        port: The server's port in `packets`.
        packets: The packets of two sends over TCP.
        calls: The calls beside them.
        tcp: What each recv() returned after these two sends.
        udp: What each recv() returned after the same two sends over UDP.
        framed: What each call returned after the same two, each with its length in front, over TCP.
        portions_bytes: What each recv(1024) returned of one send of 2,500 bytes over TCP.
    """

    sees_packets: bool
    port: int
    packets: tuple[Packet, ...]
    calls: tuple[Call, ...]
    tcp: tuple[str, ...]
    udp: tuple[str, ...]
    framed: tuple[str, ...]
    portions_bytes: tuple[int, ...]


def measure(network: Network) -> Stream:
    """Send two pieces in three ways, then one that is longer than what recv() asks for."""
    udp = _use_udp(network)
    client, server = connect_pair(network)
    with client, server:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        network.settle()
        network.take_packets()
        calls = []
        for text in (FIRST, SECOND):
            client.send(text.encode())
            calls.append(Call(at_s=network.now_s(), text=f'send("{text}") returns'))
        network.settle()
        tcp = [server.recv(_ROOM_BYTES).decode()]
        calls.append(Call(at_s=network.now_s(), by_server=True, text=f'recv() = "{tcp[0]}"'))
        packets = tuple(network.take_packets())
        while sum(map(len, tcp)) < len(FIRST + SECOND):
            tcp.append(server.recv(_ROOM_BYTES).decode())
        for text in (FIRST, SECOND):
            send_message(client, text)
        network.settle()
        framed = (receive_message(server) or "", receive_message(server) or "")
        client.send(bytes(_LONG_BYTES))
        network.settle()
        portions: list[int] = []
        while sum(portions) < _LONG_BYTES:
            portions.append(len(server.recv(_PORTION_BYTES)))
        port = int(client.getpeername()[1])
    return Stream(
        sees_packets=network.sees_packets,
        port=port,
        packets=packets,
        calls=tuple(calls),
        tcp=tuple(tcp),
        udp=udp,
        framed=framed,
        portions_bytes=tuple(portions),
    )


def _use_udp(network: Network) -> tuple[str, ...]:
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind((network.host, 0))
        receiver.settimeout(TIMEOUT_S)
        for text in (FIRST, SECOND):
            sender.sendto(text.encode(), (network.target, find_port(receiver)))
        network.settle()
        return tuple(receiver.recv(_ROOM_BYTES).decode() for _ in range(2))


def draw(measured: Stream) -> Iterator[Block]:
    """Yield the packets of the two sends, and what the receivers got."""
    if measured.sees_packets:
        yield Ladder(
            caption="Two sends over TCP, then one recv():",
            server_port=measured.port,
            packets=measured.packets,
            calls=measured.calls,
        )
    two = f'send("{FIRST}") send("{SECOND}")'
    portions = " ".join(f"{size:,} bytes" for size in measured.portions_bytes)
    yield Table(
        caption="What was sent, and what each call received:",
        titles=("by", "sent", "received"),
        rows=(
            ("TCP", two, _quote(measured.tcp)),
            ("UDP", two, _quote(measured.udp)),
            ("TCP, each with its length in front", two, _quote(measured.framed)),
            ("TCP", f"send({_LONG_BYTES:,} bytes)", portions),
        ),
    )


def _quote(texts: tuple[str, ...]) -> str:
    return " ".join(f'"{text}"' for text in texts)


def conclude(measured: Stream) -> Iterator[str]:
    """Yield the two sentences."""
    both = (FIRST, SECOND)
    calls = format_count(len(measured.portions_bytes), "recv()", "recv()s")
    if len(measured.tcp) == 1 and len(measured.portions_bytes) > 1:
        yield f"TCP is a stream: two sends came out of one recv(), and one send needed {calls}."
    else:
        yield f"TCP promises no borders; here {len(measured.tcp)} recv()s got the two sends, and {calls} the long one."
    kept = [name for name, got in (("UDP", measured.udp), ("a length in front", measured.framed)) if got == both]
    if len(kept) == 2:  # noqa: PLR2004  both of them
        yield "UDP kept the border, and so did a length in front of each message (framing), over the same TCP."
    else:
        yield f"Of UDP and framing, only these kept the border in this run: {', '.join(kept) or 'none'}."


TOPIC = Topic(
    question="Does one recv() return what one send() sent?",
    guess=f'After send("{FIRST}") and send("{SECOND}"), what does the receiver\'s first recv() return (a text)?',
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="sockctl serve echo --port 9090 -v tells how many bytes it read from a client at once",
    unseen="the packets of the two sends",
)
