"""Echo over UDP beside other servers: ``python -m tests.benchmarks.udp``. Linux, with gcc.

One client in C keeps datagrams in flight. The servers take turns, several rounds; printed are the medians of datagrams
a second, of the ratio to the same loop in C, and of the server's processor time for each datagram. The last one tells
most on a machine that others use, too. socat forks for each datagram, and is left out where it is missing.
"""

import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.peers.programs import compile_program
from tests.support.running import UNMEASURED, cpu_seconds

SIZE, DEPTH = 64, 64
SECONDS = 1.0
ROUNDS = 5
START_S = 1.5
"""How long a server may take to start: those of others don't tell when they listen."""
GOAL = 60_000
"""Datagrams a second that sockctl is to answer on loopback, on a machine that does nothing else."""
PORT = 45_800


def commands(folder: str) -> dict[str, list[str]]:
    """Return how each server is started; its port follows."""
    own = [sys.executable, "-m", "sockctl", "serve", "echo", "--udp", "--strict-port", "--log-file", f"{folder}/log"]
    found = {
        "C, recvfrom and sendto": [compile_program("udp_echo", Path(folder)), "PORT"],
        "sockctl, one address": [*own, "--host", "127.0.0.1", "--port", "PORT"],
        "sockctl, every interface": [*own, "--host", "", "--port", "PORT"],
    }
    if shutil.which("socat"):
        found["socat, a process for each"] = ["socat", "UDP4-RECVFROM:PORT,bind=127.0.0.1,fork", "EXEC:cat"]
    return found


@contextlib.contextmanager
def serving(command: list[str], port: int) -> Iterator[int]:
    """Run a server until the end; yield its process."""
    words = [word.replace("PORT", str(port)) for word in command]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, env=UNMEASURED) as process:
        try:
            time.sleep(START_S)
            yield process.pid
        finally:
            process.kill()


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        load = compile_program("udp_load", Path(folder))
        servers = commands(folder)
        rates: dict[str, list[float]] = {name: [] for name in servers}
        costs: dict[str, list[float]] = {name: [] for name in servers}
        lost = dict.fromkeys(servers, 0)
        with contextlib.ExitStack() as running:
            ports = {name: PORT + number for number, name in enumerate(servers)}
            pids = {name: running.enter_context(serving(servers[name], ports[name])) for name in servers}
            for _ in range(ROUNDS):
                for name in servers:
                    before = cpu_seconds(pids[name])
                    words = [load, str(ports[name]), str(SIZE), str(DEPTH if "socat" not in name else 1), str(SECONDS)]
                    found = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
                    rates[name].append(found["answered"] / SECONDS)
                    costs[name].append((cpu_seconds(pids[name]) - before) / max(1, found["answered"]) * 1e6)
                    lost[name] += found["lost"]
    first = next(iter(servers))
    for name in servers:
        ratio = statistics.median(mine / theirs for mine, theirs in zip(rates[name], rates[first], strict=True))
        cost = "" if "socat" in name else f", {statistics.median(costs[name]):.1f} µs of processor time each"
        print(
            f"{name:<27}{statistics.median(rates[name]):>9,.0f} datagrams/s, {ratio:.2f} of C{cost}, {lost[name]} lost"
        )
    alone = 1e6 / statistics.median(costs["sockctl, one address"])
    print(f"A core of its own would give sockctl {alone:,.0f} datagrams/s (goal: {GOAL:,}).")


if __name__ == "__main__":
    main()
