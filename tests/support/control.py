"""Control servers without a server behind them."""

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sockctl.net.control.server import USUAL_LIMITS, ControlLimits, ControlServer
from sockctl.net.control.socket_file import open_at
from tests.support.running import TIMEOUT_S

SERVER: dict[str, Any] = {
    "kind": "server",
    "service": "echo",
    "name": "echo-9090",
    "pid": 4711,
    "version": "0.1.0",
    "at": 1_795_000_000.0,
    "uptime_s": 100.0,
    "listening": [
        {"host": "127.0.0.1", "port": 9090, "waiting": 3, "max_waiting": 4097, "backlog": 4096, "for_browsers": False}
    ],
    "accepted": 10,
    "refused": {},
    "clients": 1,
    "max_clients": 512,
    "pending": 0,
    "max_pending": 128,
    "bytes_in": 1000,
    "bytes_out": 2000,
    "events_lost": 0,
    "lag_ms": 0.2,
    "stuck": False,
    "counts": {},
}
CONNECTION: dict[str, Any] = {
    "kind": "connection",
    "number": 7,
    "peer": "127.0.0.1:50000",
    "name": "",
    "room": "",
    "wire": "raw",
    "state": "watched",
    "tcp": "ESTABLISHED",
    "age_s": 50.0,
    "idle_s": 1.0,
    "bytes_in": 1000,
    "bytes_out": 2000,
    "recv_q": 0,
    "send_q": 0,
    "outbox": 0,
    "rtt_ms": 0.05,
    "retransmits": 0,
    "tls": "",
    "muted": False,
    "paused": False,
    "held": False,
}


def make_status(connections: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """Return the lines of a status, with changes of the server's fields."""
    rows = [
        {**CONNECTION, "number": number + 1, "peer": f"127.0.0.1:{50_000 + number}"} for number in range(connections)
    ]
    return [{**SERVER, "clients": connections, **changes}, *rows, {"kind": "end", "connections": connections}]


@contextlib.contextmanager
def control_server(
    path: Path,
    read_status: Callable[[], Iterable[dict[str, Any]]] = make_status,
    limits: ControlLimits = USUAL_LIMITS,
) -> Iterator[ControlServer]:
    """Run a control server."""
    server = ControlServer(open_at(path), read_status, limits=limits)
    server.start()
    stopped = contextlib.ExitStack()
    stopped.callback(server.stop)
    server.stop = stopped.close  # type: ignore[method-assign]  # a test may stop it before
    with stopped:
        yield server


@contextlib.contextmanager
def asker(path: Path) -> Iterator[socket.socket]:
    """Connect to a control socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect(str(path))
        yield sock
