"""A room on several nodes, beside its peers: ``python -m tests.benchmarks.peers.rooms``. Needs redis-server.

Each peer runs so many nodes on an engine of its own, and the same members say the same messages to each: as fast as
they hear themselves (flat out), or on a clock (steady). The figures of a row:

- deliveries a second, and the latency of a delivery
- lost: deliveries that never came
- repeated: deliveries that came again
- reordered: deliveries that came behind a later one, in the order in which the first member has heard all
- own order: the same among the messages of one sender

The peers, as far as they are installed:

- ``sockctl``: ``serve chat --cluster``
- ``python-socketio`` with its Redis manager: ``pip install python-socketio 'uvicorn[standard]' redis``
- ``socket.io`` with its Redis Streams adapter: ``npm install --no-package-lock`` in ``tests/benchmarks/peers/socketio``
"""

import argparse
import contextlib
import importlib.util
import json
import secrets
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sockctl.bench.coordinator import measure
from sockctl.bench.plan import Kind, Plan
from sockctl.bench.report import report
from sockctl.os_limits import count_usable_cores
from tests.benchmarks.cluster_stage import ENGINES, running_nodes
from tests.benchmarks.peers.room_load import LOST, OWN_REORDERED, REORDERED, REPEATED
from tests.benchmarks.peers.servers import run_server
from tests.support.bench import where
from tests.support.engines import redis_server

SOCKETIO = Path(__file__).parent / "socketio"
PROGRAM = "import sys; sys.path.append(sys.argv[1]); from tests.benchmarks.peers.room_load import run; run({!r})"
Ports = contextlib.AbstractContextManager[list[int]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer.

    Attributes:
        run_nodes: Runs so many nodes on the engine of a URL, and gives their ports.
        dialect: What its members speak, of `tests.benchmarks.peers.dialects`; empty for sockctl's wire.
        is_there: Whether it is installed.
    """

    run_nodes: Callable[[str, int], Ports]
    dialect: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class Load:
    """The load: `rate` messages a second on a clock, or `depth` of each sender in flight."""

    clients: int
    senders: int
    seconds: float
    depth: int
    rate: float | None

    def make_plan(self, ports: Sequence[int]) -> Plan:
        """Return the plan for these nodes."""
        return Plan(
            kind=Kind.CHAT,
            servers=tuple(map(where, ports)),
            run=secrets.token_hex(3),
            clients=self.clients,
            senders=self.senders,
            duration_s=self.seconds,
            depth=self.depth,
            rate=self.rate,
            warm_up_s=1.0,
            timeout_s=20.0,
        )


@contextlib.contextmanager
def _run_own(url: str, count: int) -> Iterator[list[int]]:
    with running_nodes(url, count) as nodes:
        yield [node.port for node in nodes]


def _running(*command: str) -> Callable[[str, int], Ports]:
    """Return what runs nodes by a command, with the engine's URL in place of URL."""

    @contextlib.contextmanager
    def run_nodes(url: str, count: int) -> Iterator[list[int]]:
        words = [word.replace("URL", url) for word in command]
        with contextlib.ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
            yield [undo.enter_context(run_server(words, folder))[0] for _ in range(count)]

    return run_nodes


def list_peers() -> dict[str, Peer]:
    """Return all peers, sockctl first."""
    has_python = all(map(importlib.util.find_spec, ("socketio", "uvicorn", "redis")))
    has_node = shutil.which("node") is not None and (SOCKETIO / "node_modules").is_dir()
    python, node = str(SOCKETIO / "server.py"), str(SOCKETIO / "server.js")
    return {
        "sockctl": Peer(_run_own, "", True),
        "python-socketio": Peer(_running(sys.executable, python, "PORT", "URL"), "socketio", has_python),
        "socket.io": Peer(_running("node", node, "PORT", "URL"), "socketio", has_node),
    }


def measure_peer(peer: Peer, load: Load, *, nodes: int, engine: str) -> dict[str, Any]:
    """Measure a peer once, on an engine of its own; return the report of `sockctl.bench.report`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        redis_server(Path(folder), *ENGINES[engine]) as server,
        peer.run_nodes(server.url, nodes) as ports,
    ):
        plan = load.make_plan(ports)
        outcome = measure([plan], program=PROGRAM.format(peer.dialect))
    return report(plan, outcome, cores=count_usable_cores())


def _make_row(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of the rounds, and the sums of what was wrong."""
    errors = [one["errors"] for one in reports]
    latencies = [one["latency_us"] for one in reports if one["latency_us"]]
    times = ("p50", "p99") if latencies else ()
    names = (LOST, REPEATED, REORDERED, OWN_REORDERED)
    return {
        "per_second": statistics.median(one["per_second"] for one in reports),
        **{f"{time}_ms": round(statistics.median(one[time] for one in latencies) / 1000, 2) for time in times},
        **{name: sum(one.get(name, 0) for one in errors) for name in names},
        "other": {name: count for one in errors for name, count in one.items() if name not in names},
        "unsent": sum(one["unsent"] for one in reports),
        "answered": sum(one["answered"] for one in reports),
        "own_cpu": max(one["own_cpu"] for one in reports),
    }


def _print_row(load: str, name: str, row: dict[str, Any]) -> None:
    other = " ".join(f"{reason}={count}" for reason, count in row["other"].items())
    print(
        f"{load:<9} {name:<16} {row['per_second']:>12,.0f} {row.get('p50_ms', 0):>9,.1f} {row.get('p99_ms', 0):>9,.1f}"
        f" {row[LOST]:>9,} {row[REPEATED]:>9,} {row[REORDERED]:>10,} {row[OWN_REORDERED]:>10,}"
        f" {row['own_cpu']:>6.0%} {row['unsent']:>7,}  {other}".rstrip(),
        flush=True,
    )


def main() -> int:
    """Measure the peers in turns, and print a table."""
    peers = {name: peer for name, peer in list_peers().items() if peer.is_there}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(peers), metavar="A,B", help="[default: %(default)s]")
    parser.add_argument("--nodes", type=int, default=3, help="[default: %(default)s]")
    parser.add_argument("--members", type=int, default=30, help="of a node [default: %(default)s]")
    parser.add_argument("--senders", type=int, default=9, help="[default: %(default)s]")
    parser.add_argument("--depth", type=int, default=20, help="messages in flight, flat out [default: %(default)s]")
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second, steady [default: %(default)s]")
    parser.add_argument("--seconds", type=float, default=4.0, help="[default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=3, help="[default: %(default)s]")
    parser.add_argument("--engine", choices=list(ENGINES), default="everysec", help="[default: %(default)s]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    names = options.peers.split(",")
    if not names or set(names) - set(peers):
        parser.error(f"there are only {', '.join(peers)}")
    clients = options.members * options.nodes
    loads = {
        "flat out": Load(clients, options.senders, options.seconds, options.depth, None),
        "steady": Load(clients, options.senders, options.seconds, 1, options.rate),
    }
    rows: dict[str, dict[str, Any]] = {}
    if not options.json:
        print(
            f"{'load':<9} {'peer':<16} {'deliveries/s':>12} {'p50 ms':>9} {'p99 ms':>9} {'lost':>9} {'repeated':>9} "
            f"{'reordered':>10} {'own order':>10} {'tool':>6} {'unsent':>7}"
        )
    for shown, load in loads.items():
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                found[name].append(measure_peer(peers[name], load, nodes=options.nodes, engine=options.engine))
        rows[shown] = {name: _make_row(found[name]) for name in names}
        if not options.json:
            for name, row in rows[shown].items():
                _print_row(shown, name, row)
    if options.json:
        print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
