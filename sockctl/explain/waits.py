"""Makes a call in three ways: on a socket that blocks, on one with a timeout, and on one that doesn't block."""

import contextlib
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from sockctl.explain.network import Network, connect_pair, find_port, listen
from sockctl.explain.topic import format_measured_time

WAIT_S, LIMIT_S = 0.1, 0.05
"""When a blocked call gets what it waits for, and the timeout of a socket that has one."""
_CHUNK_BYTES, _BUFFER_BYTES = 65_536, 65_536
_FILLINGS, _FULL = 40, 6
"""How often the buffers are filled at most, and how often nothing must be taken: a busy system moves bytes on later."""
_LOOK_S = 0.05
"""How often the thread that empties the buffers looks whether it may end."""
_Prepared = tuple[socket.socket, Callable[[], Any], Callable[[threading.Event], Any] | None]
"""A socket, the call, and what ends its waiting, given the event that it has ended; None for what ends by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended.

    Attributes:
        error: The exception; empty where it returned.
        seconds: How long it took.
    """

    error: str
    seconds: float

    def describe(self) -> str:
        """Return it as a cell of a table."""
        return f"{self.error} {format_measured_time(self.seconds)}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A call that may wait.

    Attributes:
        call: The call.
        waits_for: What it waits for.
        blocking: How it ended on a socket that blocks.
        limited: How it ended on one with a timeout, where nothing came.
        free: How it ended on one that doesn't block, where nothing had come.
    """

    call: str
    waits_for: str
    blocking: Outcome
    limited: Outcome
    free: Outcome


def try_call(
    call: str, waits_for: str, network: Network, prepare: Callable[[Network, ExitStack], _Prepared]
) -> Operation:
    """Make a call in the three ways.

    Args:
        call: Its name.
        waits_for: What it waits for.
        network: The network.
        prepare: Prepares one such call.
    """
    blocking, limited, free = (_time(network, prepare, timeout) for timeout in (None, LIMIT_S, 0.0))
    return Operation(call=call, waits_for=waits_for, blocking=blocking, limited=limited, free=free)


def _time(network: Network, prepare: Callable[[Network, ExitStack], _Prepared], timeout_s: float | None) -> Outcome:
    with ExitStack() as undo:
        sock, call, release = prepare(network, undo)
        sock.settimeout(timeout_s)
        error = ""
        ended = threading.Event()
        timer = threading.Timer(WAIT_S, release, (ended,)) if timeout_s is None and release else None
        began = network.now_s()
        if timer:
            timer.start()
        try:
            call()
        except OSError as failure:
            error = type(failure).__name__
        seconds = network.now_s() - began
        ended.set()
        if timer:
            timer.join()
    return Outcome(error=error, seconds=seconds)


def prepare_accept(network: Network, undo: ExitStack) -> _Prepared:
    """Prepare an accept(), for which a client comes later."""
    listener = undo.enter_context(listen(network))
    client = undo.enter_context(socket.socket())

    def accept() -> None:
        listener.accept()[0].close()

    return listener, accept, lambda _: client.connect((network.target, find_port(listener)))


def prepare_recv(network: Network, undo: ExitStack) -> _Prepared:
    """Prepare a recv(), for which a byte comes later."""
    client, server = map(undo.enter_context, connect_pair(network))
    return client, lambda: client.recv(1), lambda _: server.send(b"x")


def prepare_send(network: Network, undo: ExitStack) -> _Prepared:
    """Prepare a send() on a connection whose buffers are full, and are emptied later."""
    client, server = map(undo.enter_context, connect_pair(network))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    client.setblocking(False)
    full = 0
    for _ in range(_FILLINGS):
        full = 0 if _fill(client) else full + 1
        if full == _FULL:
            break
        network.settle()
    return client, lambda: client.send(b"x"), lambda ended: _drain(server, ended)


def _fill(client: socket.socket) -> int:
    """Send until the system takes nothing more; return how many bytes it took."""
    taken = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            taken += client.send(bytes(_CHUNK_BYTES))
    return taken


def prepare_connect(network: Network, undo: ExitStack) -> _Prepared:
    """Prepare a connect() to a server that listens."""
    port = find_port(undo.enter_context(listen(network)))
    client = undo.enter_context(socket.socket())
    return client, lambda: client.connect((network.target, port)), None


def _drain(server: socket.socket, ended: threading.Event) -> None:
    """Receive until the call that waits for room has ended."""
    server.settimeout(_LOOK_S)
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            server.recv(_CHUNK_BYTES)
