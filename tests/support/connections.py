"""Connections of a server without a server: one end is the connection's, the other the client's."""

import contextlib
import socket
from collections.abc import Iterator

from sockctl.net.connection import Connection
from tests.support.running import TIMEOUT_S

ADDRESS = ("192.0.2.7", 50_000)


@contextlib.contextmanager
def connected(number: int = 1) -> Iterator[tuple[Connection, socket.socket]]:
    """Return a connection and its client's socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(TIMEOUT_S)
        yield Connection(ours, ADDRESS, number, portion=1024, send_s=TIMEOUT_S), theirs
