"""Measure WebSocket beside its peers: ``python -m tests.benchmarks.web [SCENARIO…]``. Linux, with gcc and npm.

All servers take turns in one run, on loopback. A figure is the median over the rounds; beside it stands the processor
time of the server for each message or delivery, which a busy machine disturbs less. A ratio is sockctl's figure divided
by the peer's, round by round, then the median: above 1, sockctl is ahead; for the p99 (in ms), below 1.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.programs import compile_program
from tests.benchmarks.serving import INSTALLED
from tests.support.running import UNMEASURED, cpu_seconds, free_port, listens, read_memory_kb, wait_until
from tests.support.web import open_websocket

ROUNDS = 3
SECONDS = 3
CROWDED = ("--max-clients", "20000", "--max-clients-per-address", "20000", "--max-pending", "20000")
FAN_OUTS = {"fan100": (100, 10, 300, 200), "fan1000": (1000, 10, 60, 200), "p99-100": (100, 1, 500, 1)}
FAN_OUTS["p99-1000"] = (1000, 1, 200, 1)
"""Members, how many of them speak, how many messages each says, and how many are on their way at most."""
WARMING, IDLE = 100, 1_000
PREAMBLE = '{"kind":"hello","client":"bench"}|{"kind":"answer","field":"name","text":"n%I"}'
SAY = '{"kind":"line","text":"%M"}'
SOCKETIO = "web:/socket.io/?EIO=4&transport=websocket"


@dataclass
class Peer:
    """A server that is measured: how to start it, and what its members say on which wire."""

    command: list[str]
    preamble: str = ""
    say: str = "%M"
    wire: str = "web:/"
    figures: list[float] = field(default_factory=list)
    costs_us: list[float] = field(default_factory=list)


@contextlib.contextmanager
def started(peer: Peer, modules: Path) -> Iterator[tuple[int, int]]:
    """Run a server; yield its port and its process."""
    port = free_port()
    command = [word.replace("PORT", str(port)) for word in peer.command]
    environment = {**UNMEASURED, "NODE_PATH": str(modules)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            wait_until(lambda: listens(port))
            yield port, process.pid
        finally:
            process.kill()


def list_peers(scenario: str, folder: Path) -> dict[str, Peer]:
    """Return the servers of a scenario."""
    service = "echo" if scenario == "echo50" else "chat"
    own = [INSTALLED, "serve", service, "--no-input", "-q", *CROWDED, "--log-file", str(folder / "log")]
    asyncio_peer = [sys.executable, "-m", "tests.benchmarks.peers.websockets_peer", "PORT", service]
    node = ["node", str(Path(__file__).parent / "peers" / "node_peer.js"), "PORT"]
    peers = {
        "sockctl": Peer([*own, "--port", "0", "--web", "PORT"], PREAMBLE, SAY),
        "websockets": Peer(asyncio_peer),
        "ws": Peer([*node, service]),
    }
    if service == "chat":
        for name, one in list(peers.items()):
            if name == "sockctl":
                one.command += ["--no-flood-limit", "--data-dir", str(folder)]
        peers["socket.io"] = Peer([*node, "socketio"], "40", '42["say","%M"]', SOCKETIO)
        peers["frames"] = Peer(
            [*own, "--port", "PORT", "--no-flood-limit", "--data-dir", str(folder)], PREAMBLE, SAY, "frame"
        )
    return peers


def measure(scenario: str, peer: Peer, folder: Path) -> None:
    """Measure one server once."""
    with started(peer, folder / "node_modules") as (port, pid):
        if scenario == "idle":
            peer.figures.append(measure_idle_kb(port, pid))
            peer.costs_us.append(0.0)
            return
        before = cpu_seconds(pid)
        if scenario == "echo50":
            words: list[object] = [folder / "loadgen", "127.0.0.1", port, 50, 100, 1, SECONDS, "web"]
            result = generate(words)
            figure, count = result["msgs_per_s"], result["msgs_per_s"] * SECONDS
        else:
            words = [folder / "fanout", "127.0.0.1", port, *FAN_OUTS[scenario]]
            result = generate([*words, peer.preamble, peer.say, peer.wire, 1, 60])
            figure, count = result["deliveries_per_s"], max(1, result["deliveries"])
            if scenario.startswith("p99"):
                figure = result["p99_ms"]
        peer.figures.append(figure)
        peer.costs_us.append((cpu_seconds(pid) - before) / count * 1e6)


def generate(words: list[object]) -> dict[str, Any]:
    """Run a load generator, and return what it has measured."""
    run = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=200, check=False, env=UNMEASURED)
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1].replace("-nan", "0").replace("nan", "0"))
    return result


def measure_idle_kb(port: int, pid: int) -> float:
    """Return the memory that the server takes for each idle member, in KiB."""
    members = [_join(port, number) for number in range(WARMING)]
    before = read_memory_kb(pid)
    members += [_join(port, WARMING + number) for number in range(IDLE)]
    grown = (read_memory_kb(pid) - before) / IDLE
    for member in members:
        member.close()
    return grown


def _join(port: int, number: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 30, (f"127.0.{number // 100 + 1}.1", 0))
    client = open_websocket(sock)
    client.say("hello")
    client.say("answer", f"n{number}", field="name")
    while client.hear()["kind"] != "members":
        pass
    return sock


def main() -> int:
    """Measure what the command line names, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    scenarios = ["echo50", *FAN_OUTS, "idle"]
    parser.add_argument("scenarios", nargs="*", default=scenarios, metavar="SCENARIO", help=", ".join(scenarios))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program in ("loadgen", "fanout"):
            compile_program(program, folder)
        npm = shutil.which("npm")
        if npm is not None:
            packages = ["ws", "socket.io"]
            subprocess.run([npm, "install", "--silent", "--prefix", folder, *packages], check=True, env=os.environ)
        for scenario in options.scenarios:
            peers = list_peers(scenario, folder)
            if scenario == "idle":
                peers = {"sockctl": peers["sockctl"]}
            elif npm is None:
                peers = {name: peer for name, peer in peers.items() if peer.command[0] != "node"}
            for _ in range(options.rounds):
                for peer in peers.values():
                    measure(scenario, peer, folder)
            _print(scenario, peers)
    return 0


def _print(scenario: str, peers: dict[str, Peer]) -> None:
    print(f"\n{scenario}")
    own = peers["sockctl"]
    for name, peer in peers.items():
        ratio = statistics.median(
            ours / max(theirs, 1e-9) for ours, theirs in zip(own.figures, peer.figures, strict=True)
        )
        cost = statistics.median(peer.costs_us)
        print(
            f"  {name:10} {statistics.median(peer.figures):>12,.2f}   {cost:6.2f} us each   sockctl/this {ratio:5.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
