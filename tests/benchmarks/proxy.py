"""The proxy beside socat: ``python -m tests.benchmarks.proxy``. Linux, with gcc and socat.

Both stand in turns between the same two programs, round by round, and the medians of the rounds and of the ratios are
printed: bytes a second one way (sums only; all bytes in hex to a file, where socat runs with -x -v), and the time of a
round trip of 64 bytes. Programs in C make and answer the round trips. Exit code 1 where the proxy doesn't reach what
the page demands: 300 MB/s with sums, 50 MB/s in hex, 1.5 of socat's round trip. A busy machine doesn't reach it, either.
"""

import contextlib
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.peers.programs import compile_program
from tests.support.running import UNMEASURED, free_port, listens, wait_until

ROUNDS = 5
MANY_BYTES = 1_000_000_000
FEW_BYTES = 100_000_000
SUMS_MB_S, HEX_MB_S, TRIPS = 300.0, 50.0, 1.5
"""What is demanded."""
BLOCK = 262_144


class Sink:
    """A server that receives all bytes, and ends when the client has; it takes one client after the other."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        buffer = bytearray(BLOCK)
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                with sock:
                    while count := sock.recv_into(buffer):
                        self.received += count

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def measure_rate(port: int, size: int, sink: Sink) -> float:
    """Return at how many MB/s bytes arrive through a proxy."""
    block, before = b"0123456789abcde\n" * (BLOCK // 16), sink.received
    with socket.create_connection(("127.0.0.1", port)) as sock:
        began = time.perf_counter()
        for _ in range(size // BLOCK):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(BLOCK):
            pass
        seconds = time.perf_counter() - began
    assert sink.received - before == size // BLOCK * BLOCK, "bytes are missing"
    return sink_rate(size, seconds)


def sink_rate(size: int, seconds: float) -> float:
    return size // BLOCK * BLOCK / seconds / 1e6


def measure_trip(port: int, folder: Path) -> float:
    """Return how many µs a round trip takes."""
    command = [str(folder / "loadgen"), "127.0.0.1", str(port), "1", "64", "1", "2"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=UNMEASURED)
    return 1e6 / float(json.loads(run.stdout.splitlines()[-1])["msgs_per_s"])


def build_commands(folder: Path, target: int, *, shows: str) -> dict[str, Callable[[int], list[str]]]:
    """Return how each proxy is started on a port: with ``hex`` it shows all bytes, with ``sums`` it looks into nothing."""
    options = {"hex": ["--hex"], "sums": ["--sums"], "": []}[shows]
    log = ["--log-file", str(folder / "log"), "--no-control"]
    found: dict[str, Callable[[int], list[str]]] = {
        "sockctl": lambda port: [
            *(sys.executable, "-m", "sockctl", "proxy", str(port), f"127.0.0.1:{target}", "--strict-port"),
            *(*options, *log),
        ],
    }
    if shutil.which("socat"):
        dump = ["-x", "-v"] if shows == "hex" else []
        found["socat"] = lambda port: [
            *("socat", *dump, f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,nodelay"),
            f"TCP:127.0.0.1:{target},nodelay",
        ]
    return found


@contextlib.contextmanager
def proxying(make: Callable[[int], list[str]], folder: Path) -> Iterator[int]:
    """Run a proxy until the end; yield its port."""
    port = free_port()
    with (folder / "shown").open("wb") as shown:
        command = make(port)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=shown, env=UNMEASURED) as process:
            try:
                wait_until(lambda: listens(port))
                yield port
            finally:
                process.terminate()
                process.wait(20)
    for name in ("log", "shown"):
        (folder / name).unlink(missing_ok=True)


def compare(
    what: str, proxies: dict[str, Callable[[int], list[str]]], folder: Path, one: Callable[[int], float]
) -> dict[str, float]:
    """Measure the proxies in turns, print a row, and return each one's median, and that of the ratio."""
    values: dict[str, list[float]] = {name: [] for name in proxies}
    for _ in range(ROUNDS):
        for name, make in proxies.items():
            with proxying(make, folder) as port:
                values[name].append(one(port))
    medians = {name: statistics.median(each) for name, each in values.items()}
    row = "   ".join(
        f"{name} {value:8.1f} ({min(values[name]):.1f} to {max(values[name]):.1f})" for name, value in medians.items()
    )
    if "socat" in medians:
        ratios = [own / theirs for own, theirs in zip(values["sockctl"], values["socat"], strict=True)]
        medians["ratio"] = statistics.median(ratios)
        row += f"   sockctl/socat {medians['ratio']:.2f}"
    print(f"{what:24} {row}", flush=True)
    return medians


def main() -> int:
    """Measure, and return 1 where something demanded is missed."""
    missed = []
    with tempfile.TemporaryDirectory() as name, contextlib.closing(Sink()) as sink:
        folder = Path(name)
        for program in ("loadgen", "epoll_echo"):
            compile_program(program, folder)
        for shows, size, least in (
            ("sums", MANY_BYTES, SUMS_MB_S),
            ("", MANY_BYTES, 0.0),
            ("hex", FEW_BYTES, HEX_MB_S),
        ):
            proxies = build_commands(folder, sink.port, shows=shows)
            what = {"sums": "MB/s, sums only", "": "MB/s, told", "hex": "MB/s, hex to a file"}[shows]
            if (
                compare(what, proxies, folder, lambda port, size=size: measure_rate(port, size, sink))["sockctl"]
                < least
            ):
                missed.append(f"{what}: {least:g} are demanded")
        echo = free_port()
        with subprocess.Popen([folder / "epoll_echo", str(echo)], stdout=subprocess.DEVNULL) as process:
            wait_until(lambda: listens(echo))
            proxies = build_commands(folder, echo, shows="")
            trips = compare("µs for a round trip", proxies, folder, lambda port: measure_trip(port, folder))
            if trips.get("ratio", 0.0) > TRIPS:
                missed.append(f"a round trip: {TRIPS:g} of socat's is demanded")
            process.kill()
    print(f"load of the machine: {Path('/proc/loadavg').read_text().split()[0]}")
    for each in missed:
        print(each)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
