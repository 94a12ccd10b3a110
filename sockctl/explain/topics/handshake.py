"""``handshake``: the packets of a connection's beginning, and where the program ends and the kernel begins."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from sockctl.explain.network import TIMEOUT_S, Link, Network, find_port, listen
from sockctl.explain.steps import Step, StepRecorder, draw_steps
from sockctl.explain.topic import Block, Call, Ladder, Topic, format_measured_time

DELAY_S = 0.02
"""How long each packet is under way, where the link can delay it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What was measured.

    Attributes:
        sees_packets: Whether packets could be seen and delayed.
        delay_s: How long the link held each packet.
        port: The server's port.
        connect: The client's connect().
        accept: The server's accept(), which it called when the network was quiet again.
        closed_port: A port where nobody listened.
        refused: A connect() to it.
    """

    sees_packets: bool
    delay_s: float
    port: int
    connect: Step
    accept: Step
    closed_port: int
    refused: Step


def measure(network: Network) -> Handshake:
    """Connect where nobody listens; then where a server does, that accepts a while later."""
    delay = DELAY_S if network.sees_packets else 0.0
    network.set_link(Link(delay_s=delay))
    closed_port, refused = _connect_to_nobody(network)
    with listen(network) as listener, socket.socket() as client:
        port = find_port(listener)
        client.settimeout(TIMEOUT_S)
        recorder = StepRecorder(network, port)
        recorder.do("connect()", lambda: client.connect((network.target, port)))
        accepted = recorder.do("accept()", listener.accept, by_server=True)
        if accepted:
            accepted[0].close()
    connect, accept = recorder.steps
    return Handshake(
        sees_packets=network.sees_packets,
        delay_s=delay,
        port=port,
        connect=connect,
        accept=accept,
        closed_port=closed_port,
        refused=refused,
    )


def _connect_to_nobody(network: Network) -> tuple[int, Step]:
    """Return a port where nobody listens, and a connect() to it."""
    with listen(network) as listener, socket.socket() as client:
        port = find_port(listener)
        listener.close()
        client.settimeout(TIMEOUT_S)
        recorder = StepRecorder(network, port)
        recorder.do("connect()", lambda: client.connect((network.target, port)))
    return port, recorder.steps[0]


def draw(measured: Handshake) -> Iterator[Block]:
    """Yield the ladder of the packets, and the calls with the states that they led to."""
    steps = (measured.connect, measured.accept)
    if measured.sees_packets:
        way = format_measured_time(measured.delay_s)
        yield _draw_ladder(measured.port, steps, f"A connection over a link where each packet takes {way}:")
        yield _draw_ladder(measured.closed_port, (measured.refused,), "The same, where nobody listens:")
    caption = "What each call led to:"
    yield draw_steps(steps, measured.port, packets=measured.sees_packets, caption=caption)


def _draw_ladder(port: int, steps: tuple[Step, ...], caption: str) -> Ladder:
    calls = []
    for step in steps:
        outcome = f"{step.call} raises {step.error}" if step.error else f"{step.call} returns"
        calls.append(Call(at_s=step.began_s, by_server=step.by_server, text=f"{step.call} called"))
        calls.append(Call(at_s=step.ended_s, by_server=step.by_server, text=outcome))
    packets = tuple(packet for step in steps for packet in step.packets)
    return Ladder(caption=caption, server_port=port, packets=packets, calls=tuple(calls))


def conclude(measured: Handshake) -> Iterator[str]:
    """Yield the two sentences."""
    connect, accept = measured.connect, measured.accept
    took = format_measured_time(connect.took_s)
    shake = [packet.flags for packet in connect.packets]
    if shake == ["SYN", "SYN+ACK", "ACK"]:
        early = connect.ended_s < connect.packets[2].at_s + measured.delay_s
        ack = "; that ACK was still under way when connect() returned" if early else ""
        trip_s = connect.packets[2].at_s - connect.packets[0].at_s
        link = format_measured_time(2 * measured.delay_s)
        trip = format_measured_time(trip_s) + (
            f" ({link} of them for the link)" if trip_s > 2.4 * measured.delay_s else ""
        )
        yield (
            f"connect() took {took}, one round trip: {trip} lay between the SYN and the ACK by which the client's "
            f"kernel answers SYN+ACK{ack}."
        )
    elif measured.sees_packets:
        yield f"connect() took {took}, with other packets than the usual SYN, SYN+ACK, ACK: {', '.join(shake)}."
    else:
        yield f"connect() took {took}, and the server had not called accept() yet."
    called = format_measured_time(accept.took_s)
    if connect.server == "ESTAB" and not accept.packets:
        sent = "sent no packet and " if measured.sees_packets else ""
        queue = "" if connect.waiting is None else f", {connect.waiting} in the queue"
        yield (
            f"accept() {sent}took {called}, since the connection was there already (ESTAB{queue}): the kernels shake "
            f"hands. A socket is the border: above it the program, below it TCP (layer 4) and IP (layer 3)."
        )
    else:
        yield (
            f"accept() took {called}; before it the server's end was in the state {connect.server}, so this run "
            f"doesn't show that the kernel alone made the connection."
        )


TOPIC = Topic(
    question="What happens when a client connects, and who does it: the program or the kernel?",
    guess="How many packets go until connect() returns (a number), and does accept() come first (yes or no)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="sockctl connect localhost 9090 (refused), then again beside: sockctl serve echo --port 9090",
    unseen="the packets of the handshake",
)
