"""Echo under TLS beside other tools: ``python -m tests.benchmarks.tls``. 50 clients, one message in flight each.

The clients are two processes, each sends to all of its connections, then receives from all; so both cores are busy, and
what a server takes of them shows. The servers take turns, several rounds, and the median of the ratios is printed.
Where ncat is missing it is left out.
"""

import contextlib
import shutil
import signal
import socket
import socketserver
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.running import UNMEASURED, free_port
from tests.support.tls import blind_context, self_signed

CLIENTS = 50
LOADS = 2
SECONDS = 2.0
ROUNDS = 5
MESSAGE = b"x" * 99 + b"\n"


class _StockHandler(socketserver.BaseRequestHandler):
    """Echoes as a stock server does: one thread for each client, 1 KiB reads."""

    def handle(self) -> None:
        """Send the client's bytes back."""
        with contextlib.suppress(OSError):
            while data := self.request.recv(1024):
                self.request.sendall(data)


class _StockServer(socketserver.ThreadingTCPServer):
    """The standard library's server, with its sockets wrapped by ssl."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, certificate: str, key: str) -> None:
        super().__init__(("127.0.0.1", port), _StockHandler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)


def commands(port: int, certificate: Path, key: Path) -> dict[str, list[str]]:
    """Return how each server is started."""
    files = [str(certificate), str(key)]
    found = {
        "sockctl": [
            *(sys.executable, "-m", "sockctl", "serve", "echo", "--port", str(port), "--strict-port", "--log-file"),
            *(str(certificate.parent / "log"), "--tls-cert", files[0], "--tls-key", files[1]),
            *("--max-clients-per-address", "1000"),
        ],
        "stock ssl": [sys.executable, "-m", "tests.benchmarks.tls", str(port), *files],
    }
    if shutil.which("ncat"):
        found["ncat --ssl"] = [
            *("ncat", "--ssl", "--ssl-cert", files[0], "--ssl-key", files[1], "-l", "127.0.0.1", str(port), "-k"),
            *("-m", "1000", "-e", "/bin/cat"),
        ]
    return found


@contextlib.contextmanager
def serving(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the end."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=UNMEASURED) as process:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    connected(port).close()
                    break
                time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGKILL)


def connected(port: int) -> ssl.SSLSocket:
    """Return a connection with its handshake done."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return blind_context().wrap_socket(plain)


def rate(port: int) -> float:
    """Return messages per second over all clients."""
    command = [sys.executable, "-m", "tests.benchmarks.tls", "load", str(port)]
    loads = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(LOADS)]
    return sum(float(load.communicate(timeout=60)[0]) for load in loads)


def load(port: int) -> float:
    """Return messages per second over the clients of one process; every byte is checked."""
    socks = [connected(port) for _ in range(CLIENTS // LOADS)]
    rounds = 0
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        for sock in socks:
            sock.sendall(MESSAGE)
        for sock in socks:
            data = b""
            while len(data) < len(MESSAGE):
                part = sock.recv(len(MESSAGE) - len(data))
                assert part, "the server has ended"
                data += part
            assert data == MESSAGE
        rounds += 1
    seconds = time.perf_counter() - started
    for sock in socks:
        sock.close()
    return rounds * len(socks) / seconds


def main() -> None:
    """Print a table."""
    port = free_port()
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = self_signed(Path(folder))
        for _ in range(ROUNDS):
            for name, command in commands(port, *files).items():
                with serving(command, port):
                    rates.setdefault(name, []).append(rate(port))
                time.sleep(0.2)
    print(f"{'':12} {'messages/s':>12} {'sockctl/this':>14}")
    for name, own in rates.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(rates["sockctl"], own, strict=True))
        print(f"{name:12} {statistics.median(own):>12,.0f} {ratio:>14.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        print(load(int(sys.argv[2])))
    elif len(sys.argv) > 1:
        _StockServer(int(sys.argv[1]), sys.argv[2], sys.argv[3]).serve_forever()
    else:
        main()
