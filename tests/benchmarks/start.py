"""How long each command takes to start: ``python -m tests.benchmarks.start``. In turns, the median of each.

- The interpreter alone (``python -c pass``), and with Typer, which every command but ``--version`` loads: so what is
  left of a command's time is its own.
- ``--version`` and the helps, from the start of the process to its end.
- ``connect`` in a pipe, and ncat and socat where they are: from the start to the first byte of the reply.
- ``serve echo``: from the start of the process until it listens.
"""

import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

import pexpect

from tests.benchmarks.serving import serving
from tests.support.running import SOCKCTL, UNMEASURED

ROUNDS = 20
REPLY, HELP, PANELS = 120 / 11, 8, 18
"""How much longer than ``python -c pass`` the reply, a help in a pipe and a help on a terminal may take."""
HELPS: tuple[list[str], ...] = ([], ["connect"], ["serve"], ["serve", "echo"], ["users"], ["bench", "echo"])


def until_the_end(command: list[str]) -> float:
    """Return how many milliseconds a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=UNMEASURED)
    return (time.perf_counter() - began) * 1000


def on_a_terminal(command: list[str]) -> float:
    """Return how many milliseconds a command takes that writes to a terminal."""
    began = time.perf_counter()
    pexpect.run(shlex.join(command), env=dict(UNMEASURED) | {"TERM": "xterm"})
    return (time.perf_counter() - began) * 1000


def until_the_first_byte(command: list[str], *, errors: bool = False) -> float:
    """Return how many milliseconds pass from the start of a command with a line of input to its first output byte."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=UNMEASURED
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        stream = process.stderr if errors else process.stdout
        assert stream is not None
        first = stream.read(1)
        taken = time.perf_counter() - began
        process.kill()
    assert first, command
    return taken * 1000


def main() -> int:
    """Print a table; return 1 where something takes longer than is demanded."""
    with tempfile.TemporaryDirectory() as folder, serving(folder, "echo") as (port, _):
        python = sys.executable
        measures: dict[str, Callable[[], float]] = {
            "python -c pass": partial(until_the_end, [python, "-c", "pass"]),
            "python -c 'import typer'": partial(until_the_end, [python, "-c", "import typer"]),
            "sockctl --version": partial(until_the_end, [*SOCKCTL, "--version"]),
        }
        for words in HELPS:
            shown = " ".join(["sockctl", *words, "--help"])
            measures[shown] = partial(until_the_end, [*SOCKCTL, *words, "--help"])
            measures[f"{shown}, on a terminal"] = partial(on_a_terminal, [*SOCKCTL, *words, "--help"])
        connect = [*SOCKCTL, "connect", "localhost", str(port)]
        measures["sockctl connect, to the reply"] = partial(until_the_first_byte, connect)
        if ncat := shutil.which("ncat"):
            measures["ncat, to the reply"] = partial(until_the_first_byte, [ncat, "localhost", str(port)])
        if socat := shutil.which("socat"):
            measures["socat, to the reply"] = partial(until_the_first_byte, [socat, "-", f"TCP:localhost:{port}"])
        serve = [*SOCKCTL, "serve", "echo", "--port", "0", "--log-format", "json", "--no-input"]
        measures["sockctl serve echo, to its first event"] = partial(until_the_first_byte, serve, errors=True)
        taken: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(ROUNDS):
            for name, measure in measures.items():
                taken[name].append(measure())
    print(f"{'':<40} {'median':>9} {'lowest':>9} {'highest':>9}   of python -c pass")
    alone = statistics.median(taken["python -c pass"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:<40} {median:>6.1f} ms {min(times):>6.1f} ms {max(times):>6.1f} ms   {median / alone:.1f}")
    reply = statistics.median(taken["sockctl connect, to the reply"]) / alone
    slowest = max(statistics.median(times) for name, times in taken.items() if name.endswith("--help")) / alone
    panels = max(statistics.median(times) for name, times in taken.items() if name.endswith("terminal")) / alone
    print(
        f"demanded, of python -c pass: the reply {REPLY:.1f} at most ({reply:.1f}), a help {HELP} ({slowest:.1f}), "
        f"on a terminal {PANELS} ({panels:.1f})"
    )
    return int(reply > REPLY or slowest > HELP or panels > PANELS)


if __name__ == "__main__":
    sys.exit(main())
