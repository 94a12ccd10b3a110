"""``bench echo`` beside a load generator in C: ``python -m tests.benchmarks.bench``. Linux, with gcc.

Both load the same echo server in C, in turns: 50 clients with 64 bytes, one message in flight and 16. The median of the
ratios of each round is printed with its spread, and what is demanded of it.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.programs import compile_program
from tests.support.running import SOCKCTL, UNMEASURED
from tests.support.wrong_servers import command

CLIENTS, SIZE_BYTES = 50, 64
SECONDS = 2
ROUNDS = 5
DEMANDED = 0.5


def last_line(argv: list[str]) -> dict[str, Any]:
    """Run a program that prints JSON."""
    out = subprocess.run(argv, stdout=subprocess.PIPE, env=UNMEASURED, check=True, timeout=60).stdout
    fields: dict[str, Any] = json.loads(out.splitlines()[-1])
    return fields


def main() -> int:
    """Print a table; return 1 where less came out than is demanded."""
    failed = False
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as ending:
        loadgen, echo = (compile_program(program, Path(name)) for program in ("loadgen", "epoll_echo"))
        port = ending.enter_context(command(echo, "PORT", "65536"))
        print(f"{'in flight':>9} {'bench/s':>12} {'C/s':>12} {'ratio':>7}   lowest to highest, processes, own CPU")
        for depth in (1, 16):
            ours, theirs = [], []
            for _ in range(ROUNDS):
                own = last_line(
                    [
                        *(*SOCKCTL, "bench", "echo", f"127.0.0.1:{port}", "--clients", str(CLIENTS), "--json"),
                        *("--size", str(SIZE_BYTES), "--depth", str(depth), "--duration", str(SECONDS)),
                    ]
                )
                ours.append(own)
                words = ["127.0.0.1", str(port), str(CLIENTS), str(SIZE_BYTES), str(depth), str(SECONDS)]
                theirs.append(last_line([loadgen, *words])["msgs_per_s"])
            ratios = [one["per_second"] / other for one, other in zip(ours, theirs, strict=True)]
            ratio = statistics.median(ratios)
            failed |= ratio < DEMANDED
            print(
                f"{depth:>9} {statistics.median(one['per_second'] for one in ours):>12,.0f} "
                f"{statistics.median(theirs):>12,.0f} {ratio:>7.2f}   {min(ratios):.2f} to {max(ratios):.2f}, "
                f"{ours[-1]['processes']}, {statistics.median(one['own_cpu'] for one in ours):.2f}"
            )
    print(f"demanded: {DEMANDED}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
