"""A crowd of clients and a server in a process of its own, whose threads, memory and switches can be told apart.

The server is a fork, which ends with this process: the system kills it, or it reads the end of its control connection.
"""

import contextlib
import gc
import os
import pickle
import resource
import selectors
import signal
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sockctl.explain.forks import die_with_parent
from sockctl.explain.network import TIMEOUT_S, Network, find_port, listen, receive_exactly

Serve = Callable[[socket.socket], None]
"""Serves the clients of a listening socket, forever."""
PIECE = b"hello"
_ROOM_BYTES = 4096
_MEMORY = Path("/proc/self/statm")
_SPARE_DESCRIPTORS = 64
"""What a process has open beside its clients."""
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the server's process uses.

    Attributes:
        threads: Its threads that serve.
        memory_bytes: Its memory without that of files (RSS less what is shared), which the system may take back at any
            time; None where the system doesn't tell.
        reserved_bytes: Its addresses (VSZ), which the stacks of threads fill; None where the system doesn't tell.
        switches: How often its threads have slept until now (getrusage(2), ru_nvcsw).
    """

    threads: int
    memory_bytes: int | None
    reserved_bytes: int | None
    switches: int


class Crowd:
    """A server and its clients; a context manager. Not thread-safe.

    Args:
        network: The network.
        serve: The server.
    """

    def __init__(self, network: Network, serve: Serve) -> None:
        self._clients: list[socket.socket] = []
        with listen(network, backlog=1024) as listener:
            self._address = (network.target, find_port(listener))
            self._control, control = socket.socketpair()
            parent = os.getpid()
            self._server = os.fork()
            if not self._server:
                self._control.close()
                _run_server(serve, listener, control, parent)
            control.close()
        self._control.settimeout(TIMEOUT_S)
        self.ask()  # from here on the system ends it with this process, also where it stands still

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        """End the server's process, then the connections, of which none stays in TIME_WAIT."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it ended by itself
            os.kill(self._server, signal.SIGKILL)
            os.waitpid(self._server, 0)
        self._control.close()
        for client in self._clients:
            client.close()

    def grow(self, clients: int) -> None:
        """Connect until there are that many clients."""
        while len(self._clients) < clients:
            client = socket.create_connection(self._address, TIMEOUT_S)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            self._clients.append(client)

    def send_all(self) -> None:
        """Let each client send a piece, while the server stands still; then let the server go on."""
        os.kill(self._server, signal.SIGSTOP)
        os.waitpid(self._server, os.WUNTRACED)
        try:
            for client in self._clients:
                client.send(PIECE)
        finally:
            os.kill(self._server, signal.SIGCONT)

    def receive_all(self) -> int:
        """Receive each client's answer; return how many clients got one."""
        return sum(map(_receive, self._clients))

    def ask(self) -> Usage:
        """Return what the server's process uses now."""
        self._control.send(b"?")
        usage: Usage = pickle.loads(self._control.recv(_ROOM_BYTES))  # noqa: S301  our own child has written it
        return usage


def _receive(client: socket.socket) -> bool:
    try:
        return receive_exactly(client, len(PIECE)) == PIECE
    except ConnectionError:
        return False


def limit_clients(wanted: int) -> int:
    """Return how many clients this process may have, `wanted` at most: each takes a descriptor at either side."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _SPARE_DESCRIPTORS))


def _run_server(serve: Serve, listener: socket.socket, control: socket.socket, parent: int) -> None:
    """Serve in a thread, and answer what the control connection asks; then end this process."""
    try:
        die_with_parent()
        if os.getppid() != parent:
            return  # it ended before this process could ask to end with it
        gc.freeze()  # to free the parent's garbage here would hide what the clients take
        listener.setblocking(True)
        others = threading.active_count()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        while control.recv(1):
            control.send(pickle.dumps(_measure_usage(threading.active_count() - others)))
    finally:
        os._exit(0)  # without the parent's buffers and exit functions


def _measure_usage(threads: int) -> Usage:
    try:
        pages = [int(word) for word in _MEMORY.read_text(encoding="ascii").split()]
    except OSError:
        pages = []
    size = resource.getpagesize()
    return Usage(
        threads=threads,
        memory_bytes=(pages[1] - pages[2]) * size if pages else None,
        reserved_bytes=pages[0] * size if pages else None,
        switches=resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw,
    )


def serve_by_threads(listener: socket.socket) -> None:
    """Give each client a thread, which receives and sends; a client that the system has no thread for is closed."""
    while True:
        client, _ = listener.accept()
        try:
            threading.Thread(target=_echo, args=(client,), daemon=True).start()
        except RuntimeError:
            client.close()


def _echo(client: socket.socket) -> None:
    with client:
        while data := client.recv(_ROOM_BYTES):
            client.send(data)


def serve_by_events(listener: socket.socket) -> None:
    """Wait for all clients in one call (epoll_wait(2), where the system has it), and serve those that are ready."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ, listener)
    while True:
        for key, _ in selector.select():
            sock: socket.socket = key.data
            if sock is listener:
                client, _ = listener.accept()
                selector.register(client, selectors.EVENT_READ, client)
            elif data := sock.recv(_ROOM_BYTES):
                sock.send(data)
            else:
                selector.unregister(sock)
                sock.close()
