"""``nagle``: why two small sends may take 40 ms, and three ways around it."""

import socket
import statistics
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from sockctl.explain.network import Network, connect_pair, receive_exactly
from sockctl.explain.packets import Packet
from sockctl.explain.topic import Block, Call, Ladder, Table, Topic, format_measured_time

ROUNDS = 30
_HEAD, _BODY, _ANSWER = b"head", bytes(100), b"!"
_DELAYED = 5
"""The delay is there where a round takes more than this many times as long as without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to send a message, and how long its rounds took until the answer came.

    Attributes:
        name: The calls.
        median_s: The median of the rounds.
        longest_s: The longest round.
    """

    name: str
    median_s: float
    longest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nagle:
    """What was measured.

    Attributes:
        sees_packets: Whether packets could be seen.
        two_sends: Two sends, with Nagle's algorithm.
        no_delay: Two sends, with TCP_NODELAY.
        one_send: One send, with Nagle's algorithm.
        port: The server's port in the last round of `two_sends`.
        packets: The packets of that round.
        calls: The calls of that round.
    """

    sees_packets: bool
    two_sends: Way
    no_delay: Way
    one_send: Way
    port: int
    packets: tuple[Packet, ...]
    calls: tuple[Call, ...]

    @property
    def waited_s(self) -> float:
        """How long after the first part its ACK came, if the second part followed that; else 0."""
        match [packet for packet in self.packets if packet.payload_bytes or not packet.goes_to(self.port)]:
            case [first, ack, second, *_] if ack.flags == "ACK" and second.goes_to(self.port):
                return ack.at_s - first.at_s
        return 0.0


def measure(network: Network) -> Nagle:
    """Send small messages in three ways, and wait for the answer to each."""
    client, server = connect_pair(network)
    answering = threading.Thread(target=_answer, args=(server,), daemon=True)
    answering.start()
    with client:
        one, _ = _time_rounds(network, client, "one send(104)", (_HEAD + _BODY,))
        two, last = _time_rounds(network, client, "send(4) send(100)", (_HEAD, _BODY))
        network.settle()
        packets = tuple(packet for packet in network.take_packets() if packet.at_s >= last[0].at_s)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        free, _ = _time_rounds(network, client, "the same, TCP_NODELAY", (_HEAD, _BODY))
        port = int(client.getpeername()[1])
    answering.join()
    seen = network.sees_packets
    return Nagle(sees_packets=seen, two_sends=two, no_delay=free, one_send=one, port=port, packets=packets, calls=last)


def _answer(server: socket.socket) -> None:
    with server:
        while receive_exactly(server, len(_HEAD + _BODY)):
            server.send(_ANSWER)


def _time_rounds(
    network: Network, client: socket.socket, name: str, parts: tuple[bytes, ...]
) -> tuple[Way, tuple[Call, ...]]:
    """Return how long the rounds took, and the calls of the last one."""
    times: list[float] = []
    calls: tuple[Call, ...] = ()
    for _ in range(ROUNDS):
        began = network.now_s()
        for part in parts:
            client.send(part)
        sent = network.now_s()
        client.recv(len(_ANSWER))
        answered = network.now_s()
        times.append(answered - began)
        steps = ((began, "send() called"), (sent, "last send() returns"), (answered, "recv() returns"))
        calls = tuple(Call(at_s=at, text=text) for at, text in steps)
    return Way(name=name, median_s=statistics.median(times), longest_s=max(times)), calls


def draw(measured: Nagle) -> Iterator[Block]:
    """Yield the times, and the packets of one round with the delay."""
    ways = (measured.two_sends, measured.no_delay, measured.one_send)
    yield Table(
        caption=f"A message in two small parts, then wait for the answer: {ROUNDS} rounds each.",
        titles=("calls", "median", "longest"),
        rows=tuple((way.name, format_measured_time(way.median_s), format_measured_time(way.longest_s)) for way in ways),
        right=frozenset({1, 2}),
        sizes=tuple(way.median_s for way in ways),
    )
    if measured.sees_packets:
        caption = "The last round of the first way:"
        yield Ladder(caption=caption, server_port=measured.port, packets=measured.packets, calls=measured.calls)


def conclude(measured: Nagle) -> Iterator[str]:
    """Yield the two sentences."""
    slow = format_measured_time(measured.two_sends.median_s)
    if measured.two_sends.median_s > _DELAYED * max(measured.no_delay.median_s, measured.one_send.median_s):
        ack = f" (in the last round for {format_measured_time(measured.waited_s)})" if measured.waited_s else ""
        yield (
            f"Why {slow}: the second part waits for the ACK of the first{ack}: Nagle's algorithm. The receiver delays "
            f"that ACK, hoping to send it with an answer."
        )
        yield (
            f"One message in one send took {format_measured_time(measured.one_send.median_s)}, and TCP_NODELAY "
            f"{format_measured_time(measured.no_delay.median_s)}: send a message at once, or switch the algorithm off."
        )
    else:
        yield f"The delay did not appear in this run: two sends took {slow}, much like the other ways."
        yield "A receiver that acknowledges at once hides it, as kernels do at a connection's beginning."


TOPIC = Topic(
    question="Why may two small sends take 40 ms where one takes none?",
    guess="How long do two small sends and the answer take, on one machine (in ms)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="strace -f -r -e trace=sendto,recvfrom sockctl explain nagle",
    unseen="the packets between the two sends",
)
