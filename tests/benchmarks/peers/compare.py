"""Measure sockctl beside its peers: ``python -m tests.benchmarks.peers.compare SCENARIO…``. Linux, with gcc.

All take turns in one run, each server alone, on loopback. A figure is the median over the rounds; a ratio is sockctl's
figure divided by the peer's, round by round, then the median. Above 1, sockctl is ahead; for `memory`, `burst` and
`start`, below 1. Quote ratios of one run, never single figures: the load generator and the server share the cores.

Peers that are not installed (socat, ncat, ngircd, uvloop) are left out.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.programs import compile_program
from tests.benchmarks.peers.scenarios import SCENARIOS, Bench, Result
from tests.benchmarks.serving import INSTALLED

PROGRAMS = ("loadgen", "fanout", "thread_echo", "epoll_echo")
ROUNDS = 3
OWN_ROUNDS = {"start": 9, "chat1000": 1}
"""Scenarios that are measured more often, or less often, unless the command line says how often."""
TOLD = ("p99_us", "silent", "corrupt", "dead", "error")
"""What of the last round stands behind the figures, unless it is nothing."""


def compare(bench: Bench, scenario: str, peers: list[str], rounds: int | None) -> dict[str, dict[str, Any]]:
    """Measure the servers in turns, and return each one's row; `peers` are all that are there where it is empty."""
    names = [name for name in bench.list_servers(scenario) if name == "sockctl" or not peers or name in peers]
    results: dict[str, list[Result]] = {name: [] for name in names}
    for _ in range(rounds or OWN_ROUNDS.get(scenario, ROUNDS)):
        for name in names:
            results[name].append(bench.measure(scenario, name))
    return {name: _row(results["sockctl"], results[name]) for name in names}


def _row(own: list[Result], others: list[Result]) -> dict[str, Any]:
    values = [result["value"] for result in others if result.get("value") is not None]
    ratios = [
        ours["value"] / theirs["value"]
        for ours, theirs in zip(own, others, strict=True)
        if ours.get("value") is not None and theirs.get("value")
    ]
    return {
        "median": statistics.median(values) if values else None,
        "sockctl_ratio": round(statistics.median(ratios), 3) if ratios else None,
        **{name: others[-1].get(name) for name in TOLD},
    }


def _print_table(scenario: str, rows: dict[str, dict[str, Any]]) -> None:
    print(f"\n{scenario}")
    for name, row in rows.items():
        extra = " ".join(f"{field}={row[field]}" for field in TOLD if row[field])
        print(f"  {name:9} {row['median']!s:>12}   sockctl/this {row['sockctl_ratio']!s:>7}   {extra}", flush=True)


def main() -> int:
    """Measure what the command line names, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+", choices=SCENARIOS, metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--sockctl", default=INSTALLED, help="the command to measure")
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}, unless the scenario has another number")
    parser.add_argument("--peers", default="", metavar="A,B", help="only these")
    parser.add_argument("--read-bytes", type=int, default=1024, help="bytes per read of the Python peers")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    peers = options.peers.split(",") if options.peers else []
    report = {}
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), options.sockctl, options.read_bytes)
        for program in PROGRAMS:
            compile_program(program, bench.folder)
        for scenario in options.scenarios:
            report[scenario] = compare(bench, scenario, peers, options.rounds)
            if not options.json:
                _print_table(scenario, report[scenario])
    if options.json:
        print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
