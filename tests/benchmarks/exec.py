"""A program for each client, beside socat and ncat: ``python -m tests.benchmarks.exec``. The program is cat.

The first figure is MB/s through one connection: its client sends without waiting, and reads what comes back. The client
has 16 KiB in flight in the second one, since ncat stops for good when a client sends more than it reads. The third is
programs/s: a client connects, sends a byte, gets it back, and leaves; then the next one comes. The servers take turns,
several rounds, and the medians of the figures and of the rounds' ratios are printed. What isn't installed is left out.
"""

import contextlib
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from tests.support.running import UNMEASURED, free_port, listens, wait_until

ROUNDS = 7
MEGABYTES = 200
FEW_MEGABYTES = 20
WINDOW = 16_384
STARTS = 30
STUCK_S = 5.0


def commands(port: int, folder: str) -> dict[str, list[str]]:
    """Return how each server is started."""
    own = [sys.executable, "-m", "sockctl", "serve", "exec", "--port", str(port), "--strict-port", "--no-control"]
    found = {"sockctl": [*own, "--log-file", f"{folder}/log", "--", "cat"]}
    if shutil.which("socat"):
        listen = f"TCP-LISTEN:{port},fork,reuseaddr,bind=127.0.0.1"
        found["socat EXEC:cat"] = ["socat", listen, "EXEC:cat"]
        found["socat EXEC:cat,pipes"] = ["socat", listen, "EXEC:cat,pipes"]
    if shutil.which("ncat"):
        found["ncat -e"] = ["ncat", "-l", "-k", "127.0.0.1", str(port), "-e", "/bin/cat"]
    return found


@contextlib.contextmanager
def serving(name: str, folder: str) -> Iterator[int]:
    """Run a server until the end, and yield its port."""
    port = free_port()
    with subprocess.Popen(commands(port, folder)[name], stderr=subprocess.DEVNULL, env=UNMEASURED) as process:
        try:
            wait_until(lambda: listens(port))
            yield port
        finally:
            process.kill()


def measure_stream(port: int, total: int, window: int) -> float:
    """Return the MB/s of one connection, 0 for a server that stops for good."""
    out, sent, got, buffer = memoryview(bytes(262_144)), 0, 0, bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        started = time.monotonic()
        while got < total:
            may_send = min(len(out), total - sent, window - (sent - got))
            readable, writable, _ = select.select([sock], [sock] if may_send else [], [], STUCK_S)
            if writable:
                sent += sock.send(out[:may_send])
            if readable:
                count = sock.recv_into(buffer)
                assert count, f"the connection ended after {got} of {total} bytes"
                got += count
            if not (readable or writable):
                return 0.0
        return total / (time.monotonic() - started) / 1e6


def measure_starts(port: int) -> float:
    """Return how many programs a second start, answer and go, one after the other."""
    started = time.monotonic()
    for _ in range(STARTS):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
    return STARTS / (time.monotonic() - started)


def main() -> None:
    """Measure all servers in turns, and print the medians."""
    figures: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name in commands(0, folder):
                with serving(name, folder) as port:
                    measured = {
                        "MB/s": measure_stream(port, MEGABYTES * 1_000_000, 1 << 62) if name != "ncat -e" else 0.0,
                        "MB/s, 16 KiB in flight": measure_stream(port, FEW_MEGABYTES * 1_000_000, WINDOW),
                        "programs/s": measure_starts(port),
                    }
                for what, value in measured.items():
                    figures.setdefault(what, {}).setdefault(name, []).append(value)
    for what, by_name in figures.items():
        for name, values in by_name.items():
            ratios = [own / theirs for own, theirs in zip(by_name["sockctl"], values, strict=True) if theirs]
            if not ratios:
                continue
            beside = f"  sockctl: {statistics.median(ratios):.2f} times" if name != "sockctl" else ""
            spread = f"({min(values):.0f} to {max(values):.0f})"
            print(f"{what:24} {name:22} {statistics.median(values):8.0f}  {spread}{beside}")


if __name__ == "__main__":
    main()
