"""``backlog``: the queue of connections that wait for accept(), and what a client sees when it is full."""

import contextlib
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from sockctl.explain.network import TIMEOUT_S, Network, find_port, listen
from sockctl.explain.packets import Packet
from sockctl.explain.tcp_states import UNKNOWN, Row, read_rows
from sockctl.explain.topic import Block, Call, Ladder, Table, Topic, format_measured_time
from sockctl.text import format_count

BACKLOG, CLIENTS = 1, 4
_PATIENCE_S = 0.3
"""How long a client may wait before it counts as one that the queue doesn't hold; the handshake takes far less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client that connected while the server didn't call accept().

    Attributes:
        took_s: How long connect() took; None where it still waited when accept() was called.
        state: The state of its end at that time.
        packets: All packets of its connection.
    """

    took_s: float | None
    state: str
    packets: tuple[Packet, ...]

    @property
    def tries(self) -> int:
        """How often its kernel has sent SYN."""
        return sum(packet.flags == "SYN" for packet in self.packets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What was measured.

    Attributes:
        sees_packets: Whether packets could be seen.
        port: The server's port.
        clients: The clients, in the order in which they connected.
        queue: How many connections the kernel showed in the queue before accept(); None where it doesn't.
        accept_called_s: When the server called accept(), on the clock of the packets.
        then_connected_s: How long after it the next client was connected; None where none was.
    """

    sees_packets: bool
    port: int
    clients: tuple[Client, ...]
    queue: int | None
    accept_called_s: float
    then_connected_s: float | None

    @property
    def held(self) -> int:
        """How many clients were connected before accept()."""
        return sum(client.took_s is not None for client in self.clients)


def measure(network: Network) -> Backlog:
    """Connect more clients than the queue holds; then accept one of them."""
    with contextlib.ExitStack() as undo:
        listener = undo.enter_context(listen(network, BACKLOG))
        port = find_port(listener)
        sockets, took = [], []
        for _ in range(CLIENTS):
            client = undo.enter_context(socket.socket())
            client.setblocking(False)
            began = network.now_s()
            client.connect_ex((network.target, port))
            took.append(network.now_s() - began if select.select([], [client], [], _PATIENCE_S)[1] else None)
            sockets.append(client)
        rows = read_rows(port)
        called = network.now_s()
        undo.enter_context(listener.accept()[0])
        waiting = [client for client, seconds in zip(sockets, took, strict=True) if seconds is None]
        then = network.now_s() - called if waiting and select.select([], waiting, [], TIMEOUT_S)[1] else None
        packets = network.take_packets()
        clients = tuple(
            _note(find_port(client), seconds, packets, rows) for client, seconds in zip(sockets, took, strict=True)
        )
    return Backlog(
        sees_packets=network.sees_packets,
        port=port,
        clients=clients,
        queue=next((row.unread_bytes for row in rows or () if row.state == "LISTEN"), None),
        accept_called_s=called,
        then_connected_s=then,
    )


def _note(port: int, took_s: float | None, packets: list[Packet], rows: list[Row] | None) -> Client:
    own = tuple(packet for packet in packets if port in {packet.source_port, packet.target_port})
    states = {row.local_port: row.state for row in rows or ()}
    return Client(took_s=took_s, state=states.get(port, UNKNOWN), packets=own)


def draw(measured: Backlog) -> Iterator[Block]:
    """Yield what each client saw, and the packets of the first one that the queue didn't hold."""
    rows = []
    for number, client in enumerate(measured.clients, 1):
        took = "waited" if client.took_s is None else format_measured_time(client.took_s)
        rows.append((str(number), took, client.state, str(client.tries) if measured.sees_packets else "?"))
    yield Table(
        caption=f"listen({BACKLOG}), and {CLIENTS} clients connect before the server calls accept():",
        titles=("client", "connect()", "state", "SYNs"),
        rows=tuple(rows),
        right=frozenset({0, 1, 3}),
    )
    first = next((client for client in measured.clients if client.took_s is None), None)
    if measured.sees_packets and first is not None:
        accept = Call(at_s=measured.accept_called_s, text="accept() called", by_server=True)
        caption = "The first client that the queue did not hold:"
        yield Ladder(caption=caption, server_port=measured.port, packets=first.packets, calls=(accept,))


def conclude(measured: Backlog) -> Iterator[str]:
    """Yield the two sentences."""
    queue = "" if measured.queue is None else f", and the kernel's queue showed {measured.queue}"
    held = format_count(measured.held, "client")
    if 0 < measured.held < CLIENTS:
        silent = all(client.state == "SYN_SENT" for client in measured.clients if client.took_s is None)
        why = ", since nothing answered their SYN (SYN_SENT)" if silent else ""
        yield f"listen({BACKLOG}) held {held} before accept(){queue}: the others waited{why}."
    else:
        yield f"{held} of {CLIENTS} connected before accept(){queue}: the queue showed no end in this run."
    then = measured.then_connected_s
    if then is not None:
        again = max(client.tries for client in measured.clients)
        how = f", when its kernel sent SYN again ({format_count(again, 'SYN')} in all)" if again > 1 else ""
        yield f"accept() made room, and the next client was connected {format_measured_time(then)} later{how}."
    else:
        yield "No client that waited was connected after accept() in this run."


TOPIC = Topic(
    question="What happens to clients that connect while the server doesn't call accept()?",
    guess=f"A server calls listen({BACKLOG}) and never accept(): how many clients can connect (a number)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="ss -tln shows the queue of each listening socket (Recv-Q) and its size (Send-Q)",
    unseen="the SYNs that get no answer",
)
