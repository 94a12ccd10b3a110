"""Servers of UDP in this process, and clients for them."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from sockctl.events.base import Level
from sockctl.events.journal import Journal
from sockctl.net.listener import open_listeners
from sockctl.net.udp.limits import DatagramLimits
from sockctl.net.udp.server import DatagramServer, MakeAnswer
from tests.support.running import TIMEOUT_S, UNSUMMED, MemorySink
from tests.support.two_hosts import on_the_server

LIMITS = DatagramLimits()


class RunningDatagrams:
    """A server in this process."""

    def __init__(self, server: DatagramServer, sink: MemorySink, journal: Journal, port: int) -> None:
        self.server = server
        self.sink = sink
        self.journal = journal
        self.port = port
        self._stopped = False

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            assert self.server.stop(5)
            if self.journal.emits(Level.INFO):
                self.sink.wait_for("server_stopped")


@contextlib.contextmanager
def datagrams(
    limits: DatagramLimits = LIMITS,
    *,
    host: str = "127.0.0.1",
    make_answer: MakeAnswer | None = None,
    level: Level = Level.DETAIL,
) -> Iterator[RunningDatagrams]:
    sink = MemorySink()
    journal = Journal(sink, service="echo", level=level, per_second=UNSUMMED)
    listeners = on_the_server(lambda: open_listeners(host, 0, datagrams=True))
    run = RunningDatagrams(DatagramServer(listeners, make_answer, journal, limits), sink, journal, listeners.port)
    run.server.start()
    try:
        yield run
    finally:
        run.stop()
        journal.close()


@contextlib.contextmanager
def udp_client(
    port: int, host: str = "127.0.0.1", *, source: Any = None, connects: bool = True
) -> Iterator[socket.socket]:
    """Open a socket; it is connected to the server, so the kernel drops what comes from another address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT_S)
        if source is not None:
            sock.bind(source)
        if connects:
            sock.connect((host, port))
        yield sock
