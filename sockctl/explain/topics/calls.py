"""``calls``: the system calls of a client and a server, side by side.

Both are threads of one process, with blocking sockets. So each method called here is one system call of the same name;
the kernel of Linux calls three of them accept4, sendto and recvfrom.
"""

import queue
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sockctl.explain.network import TIMEOUT_S, Network, find_port
from sockctl.explain.system_calls import CallRecorder, SystemCall
from sockctl.explain.topic import Block, Table, Topic, format_measured_time

PAUSE_S = 0.03
"""How long the client does something else before connect(), and before send()."""
_QUESTION, _ANSWER = "hello", "hello, too"
_ROOM_BYTES = 100
_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What was measured.

    Attributes:
        calls: The calls of both sides, in the order in which they were made.
    """

    calls: tuple[SystemCall, ...]

    def list_names(self, *, by_server: bool) -> list[str]:
        """Return the names of one side's calls, each once, in order."""
        return list(dict.fromkeys(call.name for call in self.calls if call.by_server is by_server))

    def list_waits(self) -> list[SystemCall]:
        """Return the server's calls that took most of a pause, and during which the client made a call."""
        return [
            call
            for call in self.calls
            if call.by_server
            and call.took_s > PAUSE_S / 2
            and any(call.began_s < each.began_s < call.ended_s for each in self.calls if not each.by_server)
        ]


def measure(network: Network) -> Calls:
    """Run a server, and a client that asks it something."""
    server, client = CallRecorder(network, by_server=True), CallRecorder(network, by_server=False)
    listening: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
    threads = ThreadPoolExecutor()
    try:
        serving = threads.submit(_serve, server, listening)
        port = find_port(listening.get(timeout=TIMEOUT_S))
        threads.submit(_ask, client, (network.target, port)).result(TIMEOUT_S)
        serving.result(TIMEOUT_S)
    finally:
        threads.shutdown(wait=False)
    return Calls(calls=tuple(sorted(server.calls + client.calls, key=lambda call: call.began_s)))


def _serve(side: CallRecorder, listening: "queue.SimpleQueue[socket.socket]") -> None:
    with side.do("socket", "TCP", socket.socket) as listener:
        own = listener.fileno()
        side.do("bind", f"{own}, any port", lambda: listener.bind((side.network.host, 0)))
        side.do("listen", f"{own}, 1", lambda: listener.listen(1))
        listening.put(listener)
        with side.do("accept", f"{own}", listener.accept)[0] as peer:
            new = peer.fileno()
            while side.do("recv", f"{new}, {_ROOM_BYTES}", lambda: peer.recv(_ROOM_BYTES)):
                side.do("send", f"{new}, {_ANSWER!r}", lambda: peer.send(_ANSWER.encode()))
            side.do("close", f"{new}", peer.close)
        side.do("close", f"{own}", listener.close)


def _ask(side: CallRecorder, address: tuple[str, int]) -> None:
    time.sleep(PAUSE_S)
    with side.do("socket", "TCP", socket.socket) as sock:
        own = sock.fileno()
        side.do("connect", f"{own}, port {address[1]}", lambda: sock.connect(address))
        time.sleep(PAUSE_S)
        side.do("send", f"{own}, {_QUESTION!r}", lambda: sock.send(_QUESTION.encode()))
        side.do("recv", f"{own}, {_ROOM_BYTES}", lambda: sock.recv(_ROOM_BYTES))
        side.do("close", f"{own}", sock.close)


def draw(measured: Calls) -> Iterator[Block]:
    """Yield the calls by the time at which they were made, each on its side."""
    rows = []
    for call in measured.calls:
        told = (f"{call.name}({call.arguments}) = {call.result}", format_measured_time(call.took_s))
        at = f"{(call.began_s - measured.calls[0].began_s) * _MS:.2f}"
        rows.append((at, *(("", "", *told) if call.by_server else (*told, "", ""))))
    yield Table(
        caption="Each system call when it was made, and how long it took:",
        titles=("ms", "client", "took", "server", "took"),
        rows=tuple(rows),
        right=frozenset({0, 2, 4}),
    )


def conclude(measured: Calls) -> Iterator[str]:
    """Yield the two sentences."""
    server, client = measured.list_names(by_server=True), measured.list_names(by_server=False)
    alone = _join([name for name in server if name not in client])
    other = _join([name for name in client if name not in server])
    both = _join([name for name in server if name in client])
    may = "; a client may bind(), too, but mostly connect() chooses its port" if "bind()" in alone else ""
    yield f"Only the server called {alone}, only the client {other}; both called {both}{may}."
    waits = measured.list_waits()
    if waits:
        told = " and ".join(f"{call.name}() for {format_measured_time(call.took_s)}" for call in waits)
        yield f"The server waited inside {told}, until the client acted: a call that needs the other side blocks."
    else:
        yield "No call of the server waited in this run: the client was early each time."


def _join(names: list[str]) -> str:
    calls = [f"{name}()" for name in names]
    return " and ".join(filter(None, (", ".join(calls[:-1]), *calls[-1:]))) or "nothing of its own"


TOPIC = Topic(
    question="Which system calls does a server make, and which a client?",
    guess="Which calls does only the server make, and in which of them does it wait (names, such as send)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="strace -f -e trace=network sockctl explain calls (which says accept4, sendto and recvfrom)",
)
