"""``bench echo`` beside a load generator in C: ``python -m tests.benchmarks.bench FOLDER``. Linux, with gcc.

FOLDER holds ``loadgen.c`` and ``epoll_echo.c`` of the project's shared bench folder (``../shared/bench`` beside a
checkout). Both load the same echo server in C, in turns: 50 clients with 64 bytes, one message in flight and 16. The
median of the ratios of each round is printed with its spread, and what is demanded of it.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.running import SOCKCTL, UNMEASURED
from tests.support.wrong_servers import command

CLIENTS, SIZE_BYTES = 50, 64
SECONDS = 2
ROUNDS = 5
DEMANDED = 0.5


def built(source: Path, folder: Path) -> str:
    """Compile a program, and return its path."""
    program = folder / source.stem
    subprocess.run(["gcc", "-O2", "-pthread", "-o", str(program), str(source)], check=True)
    return str(program)


def last_line(argv: list[str]) -> dict[str, Any]:
    """Run a program that prints JSON."""
    out = subprocess.run(argv, stdout=subprocess.PIPE, env=UNMEASURED, check=True, timeout=60).stdout
    fields: dict[str, Any] = json.loads(out.splitlines()[-1])
    return fields


def main(folder: Path) -> int:
    """Print a table; return 1 where less came out than is demanded."""
    failed = False
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as ending:
        loadgen, echo = (built(folder / f"{stem}.c", Path(name)) for stem in ("loadgen", "epoll_echo"))
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
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/bench")))
