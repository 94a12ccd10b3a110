"""``sockets``: a listening socket against connected ones."""

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sockctl.explain.network import TIMEOUT_S, Network, find_port, listen
from sockctl.explain.tcp_states import GONE, UNKNOWN, Row, read_rows
from sockctl.explain.topic import Block, Table, Topic

CLIENTS = 2
_PIECE = b"hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """A socket, and what it can do.

    Attributes:
        name: What it is, such as ``listening``.
        descriptor: Its number in the process.
        local_port: Its own port.
        peer_port: The port of the other side; None for a socket without one.
        state: Its state in the kernel.
        accepts: What accept() did: how many connections it returned, or the name of its error.
        receives: What recv() did: how many bytes it returned, or the name of its error.
    """

    name: str
    descriptor: int
    local_port: int
    peer_port: int | None
    state: str
    accepts: int | str
    receives: int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """What was measured.

    Attributes:
        listening: The socket of the server that listens.
        connections: The sockets of the server that accept() returned, one for each client.
        clients: The sockets of the clients, in the same order.
    """

    listening: Socket
    connections: tuple[Socket, ...]
    clients: tuple[Socket, ...]


def measure(network: Network) -> Sockets:
    """Let clients connect and send each other side a piece; then try accept() and recv() on each socket."""
    with contextlib.ExitStack() as undo:
        listener = undo.enter_context(listen(network))
        port = find_port(listener)
        clients, connections = [], []
        for _ in range(CLIENTS):
            clients.append(undo.enter_context(socket.create_connection((network.target, port), TIMEOUT_S)))
            connections.append(undo.enter_context(listener.accept()[0]))
        for sock in (*clients, *connections):
            sock.settimeout(TIMEOUT_S)
            sock.send(_PIECE)
        network.settle()
        listener.setblocking(True)  # with a timeout, recv() would first wait
        rows = read_rows(port)
        return Sockets(
            listening=_examine("listening", listener, rows, accepts=len(connections)),
            connections=tuple(_examine(f"connection {at}", sock, rows) for at, sock in enumerate(connections, 1)),
            clients=tuple(_examine(f"client {at}", sock, rows) for at, sock in enumerate(clients, 1)),
        )


def _examine(name: str, sock: socket.socket, rows: list[Row] | None, accepts: int | None = None) -> Socket:
    local, peer = find_port(sock), _try(lambda: int(sock.getpeername()[1]))
    peer_port = peer if isinstance(peer, int) else None
    states = {(row.local_port, row.peer_port): row.state for row in rows or ()}
    return Socket(
        name=name,
        descriptor=sock.fileno(),
        local_port=local,
        peer_port=peer_port,
        state=UNKNOWN if rows is None else states.get((local, peer_port or 0), GONE),
        accepts=accepts or _try(lambda: _accept(sock)),
        receives=_try(lambda: len(sock.recv(len(_PIECE)))),
    )


def _accept(sock: socket.socket) -> int:
    sock.accept()[0].close()
    return 1


def _try(call: Callable[[], int]) -> int | str:
    """Return what a call returns, or the name of its error."""
    try:
        return call()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)


def draw(measured: Sockets) -> Iterator[Block]:
    """Yield the sockets."""
    rows = []
    for sock in (measured.listening, *measured.connections, *measured.clients):
        numbers = (str(sock.descriptor), str(sock.local_port), str(sock.peer_port or "none"))
        rows.append((sock.name, *numbers, sock.state, str(sock.accepts), str(sock.receives)))
    yield Table(
        caption=f"A server with {CLIENTS} clients; the connections that accept() and the bytes that recv() returned:",
        titles=("socket", "fd", "port", "peer", "state", "accept()", "recv()"),
        rows=tuple(rows),
        right=frozenset({1, 2, 3, 5, 6}),
    )


def conclude(measured: Sockets) -> Iterator[str]:
    """Yield the two sentences."""
    listening, connections = measured.listening, measured.connections
    error = listening.receives
    if listening.peer_port is None and isinstance(error, str) and all(sock.peer_port for sock in connections):
        numbers = " and ".join(str(sock.descriptor) for sock in connections)
        yield (
            f"The listening socket has no peer, and recv() failed on it ({error}): accept() made a new socket for "
            f"each client, descriptors {numbers}."
        )
    else:
        yield "The listening socket had a peer, or received bytes: it did not differ from a connection here."
    peers = {sock.peer_port for sock in connections}
    if {sock.local_port for sock in connections} == {listening.local_port} and len(peers) == len(connections):
        chosen = " and ".join(str(sock.local_port) for sock in measured.clients)
        yield (
            f"All the server's sockets have port {listening.local_port}: the kernel tells the connections apart by "
            f"the clients' ports, {chosen}, which connect() got from it."
        )
    else:
        yield "The connections had other ports than the listening socket, which TCP does not do."


TOPIC = Topic(
    question="How does a listening socket differ from a connected one?",
    guess=f"How many sockets has a server with {CLIENTS} clients, and which ports do they have (numbers)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="ss -tan shows the sockets of this machine: LISTEN has no peer, ESTAB has one",
)
