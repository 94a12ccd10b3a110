"""Measure WebSocket beside its peers: ``python -m tests.benchmarks.web [SCENARIO…]``. Linux, with gcc.

The peers: ``websockets`` on asyncio (``pip install -e '.[test]'`` has it), and ``ws`` and ``socket.io`` on Node
(``apt-get install nodejs npm``). npm fetches these two into a temporary folder; without npm they are left out.
``frames`` is sockctl on its own wire.

All servers of a scenario run side by side on loopback, and short rounds of each take turns. So a busy machine disturbs
all of them. A figure is the median over the rounds. A ratio is sockctl's figure divided by the peer's in the same
round; the median stands beside the least and the largest. For ``per_s``, sockctl is ahead above 1; for the others,
below 1: times in ms, and ``cpu_us``, the server's processor time for each message or delivery.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.programs import compile_program
from tests.benchmarks.serving import INSTALLED
from tests.support.running import UNMEASURED, cpu_seconds, free_port, listens, read_memory_kb, wait_until
from tests.support.web import open_websocket

ROUNDS, ECHO_S = 9, 1
CROWDED = ("--max-clients", "20000", "--max-clients-per-address", "20000", "--max-pending", "20000")
FAN_OUTS = {
    "fan100": (100, 10, 300, 200),
    "fan1000": (1000, 10, 30, 200),
    "latency100": (100, 1, 1000, 0),
    "latency1000": (1000, 1, 200, 0),
    "wires": (100, 10, 2000, 200),
}
"""Members, how many of them speak, how many messages each says, and how many are on their way at most; with 0, the
next message follows when all have the last one."""
SETTLE_S, TIMEOUT_S = 0.3, 120
WARMING, IDLE = 100, 1_000
PREAMBLE = '{"kind":"hello","client":"bench"}|{"kind":"answer","field":"name","text":"n%I"}'
SAY = '{"kind":"line","text":"%M"}'
SOCKETIO = "web:/socket.io/?EIO=4&transport=websocket"
QUIET_SHARE, LOOK_S = 0.05, 0.2
"""A server has forgotten the members of the last round when it takes no more than such a share of a core."""


@dataclass
class Peer:
    """A server that is measured: how to start it, and what its members say on which wire.

    Attributes:
        lost: Messages that didn't reach a member in time.
        figures: What each round has shown, by name.
    """

    command: list[str]
    preamble: str = ""
    say: str = "%M"
    wire: str = "web:/"
    port: int = 0
    pid: int = 0
    lost: int = 0
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, **figures: float) -> None:
        """Note the figures of a round."""
        for name, figure in figures.items():
            self.figures.setdefault(name, []).append(figure)


@contextlib.contextmanager
def started(peer: Peer, modules: Path) -> Iterator[None]:
    """Run a server until the end."""
    peer.port = free_port()
    command = [word.replace("PORT", str(peer.port)) for word in peer.command]
    environment = {**UNMEASURED, "NODE_PATH": str(modules)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        peer.pid = process.pid
        try:
            wait_until(lambda: listens(peer.port), what=f"{' '.join(command)}")
            yield
        finally:
            process.kill()


def list_peers(scenario: str, folder: Path) -> dict[str, Peer]:
    """Return the servers of a scenario."""
    service = "echo" if scenario == "echo50" else "chat"
    own = [INSTALLED, "serve", service, "--no-input", "-q", *CROWDED]
    asyncio_peer = [sys.executable, "-m", "tests.benchmarks.peers.websockets_peer", "PORT", service]
    node = ["node", str(Path(__file__).parent / "peers" / "node_peer.js"), "PORT"]
    web = [*own, "--port", "0", "--web", "PORT"]
    frames = [*own, "--port", "PORT"]
    for name, command in (("web", web), ("frames", frames)):
        command += ["--log-file", str(folder / f"{scenario}-{name}.log")]
        if service == "chat":
            command += ["--no-flood-limit", "--data-dir", str(folder / f"{scenario}-{name}")]
    if scenario == "idle":
        return {"sockctl": Peer(web, PREAMBLE, SAY)}
    peers = {"sockctl": Peer(web, PREAMBLE, SAY), "websockets": Peer(asyncio_peer), "ws": Peer([*node, service])}
    if service == "chat":
        peers["socket.io"] = Peer([*node, "socketio"], "40", '42["say","%M"]', SOCKETIO)
        peers["frames"] = Peer(frames, PREAMBLE, SAY, "frame")
    return {name: peers[name] for name in ("sockctl", "frames")} if scenario == "wires" else peers


def measure(scenario: str, peer: Peer, folder: Path) -> None:
    """Measure one server once."""
    if scenario == "idle":
        peer.note(kb=measure_idle_kb(peer.port, peer.pid))
        return
    if scenario == "echo50":
        result, cpu_s = generate([folder / "loadgen", "127.0.0.1", peer.port, 50, 100, 1, ECHO_S, "web"], peer.pid)
        count = result["msgs_per_s"] * ECHO_S
        figures = {"per_s": result["msgs_per_s"], "p99": result["p99_us"] / 1e3}
    else:
        words = [folder / "fanout", "127.0.0.1", peer.port, *FAN_OUTS[scenario]]
        result, cpu_s = generate([*words, peer.preamble, peer.say, peer.wire, SETTLE_S, TIMEOUT_S], peer.pid)
        count = result["deliveries"]
        peer.lost += max(0, result["expected_min"] - count)
        figures = {"per_s": result["deliveries_per_s"], "p50": result["p50_ms"], "p99": result["p99_ms"]}
    peer.note(**figures, cpu_us=cpu_s / max(1, count) * 1e6)
    _wait_until_quiet(peer.pid)


def _wait_until_quiet(pid: int) -> None:
    last = cpu_seconds(pid)

    def is_quiet() -> bool:
        nonlocal last
        time.sleep(LOOK_S)
        before, last = last, cpu_seconds(pid)
        return last - before <= QUIET_SHARE * LOOK_S

    wait_until(is_quiet, timeout_s=TIMEOUT_S, what="that a server has nothing to do")


def generate(words: list[object], pid: int) -> tuple[dict[str, Any], float]:
    """Run a load generator; return what it has measured, and the server's processor time since all have joined."""
    with subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True, env=UNMEASURED) as run:
        assert run.stdout is not None
        run.stdout.readline()
        before = cpu_seconds(pid)
        result: dict[str, Any] = json.loads(run.stdout.readline())
    return result, cpu_seconds(pid) - before


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
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each server (default: %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers end, too
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program in ("loadgen", "fanout"):
            compile_program(program, folder)
        has_node = install_node_peers(folder)
        for scenario in options.scenarios:
            peers = list_peers(scenario, folder)
            peers = {name: peer for name, peer in peers.items() if has_node or peer.command[0] != "node"}
            measure_in_turns(scenario, peers, folder, options.rounds)
            print(scenario, *(f"  {line}" for line in describe(peers)), "", sep="\n", flush=True)
    return 0


def install_node_peers(folder: Path) -> bool:
    """Let npm fetch the peers for Node into a folder; return whether they can be measured."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        print("ws and socket.io are left out: they need node and npm (apt-get install nodejs npm).\n")
        return False
    subprocess.run(["npm", "install", "--silent", "--prefix", folder, "ws", "socket.io"], check=True, env=os.environ)
    return True


def measure_in_turns(scenario: str, peers: dict[str, Peer], folder: Path, rounds: int) -> None:
    """Run all servers, and measure them in turns: every other round backwards."""
    with contextlib.ExitStack() as undo:
        for peer in peers.values():
            undo.enter_context(started(peer, folder / "node_modules"))
        for number in range(rounds):
            order = list(peers.values())
            for peer in order[:: -1 if number % 2 else 1]:
                measure(scenario, peer, folder)


def describe(peers: dict[str, Peer]) -> Iterator[str]:
    """Return lines with the figures of each server, and how sockctl's compare with them."""
    own = peers["sockctl"].figures
    yield f"{'':10} " + "".join(f"{name:>12}  {'sockctl/this':<21}" for name in own)
    for name, peer in peers.items():
        cells = []
        for figure, all_ in peer.figures.items():
            ratios = sorted(ours / max(theirs, 1e-9) for ours, theirs in zip(own[figure], all_, strict=True))
            spread = (
                f"{statistics.median(ratios):5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
                if peer.figures is not own
                else ""
            )
            cells.append(f"{statistics.median(all_):>12,.2f}  {spread:<21}")
        yield f"{name:10} " + "".join(cells) + (f"{peer.lost:,} lost" if peer.lost else "")


if __name__ == "__main__":
    sys.exit(main())
