"""Make the README's figures again: ``python -m tests.benchmarks [FOLDER]``, on a quiet machine.

FOLDER is the project's shared bench folder; ``../shared/bench`` beside a checkout where it isn't given. Each part is a
program of its own, whose name and output are printed. The peers that are installed are measured (socat, ncat, ngircd,
uvloop), the others left out, and so is what a free-threaded interpreter gives where there is no ``.venv-t`` with one.
Exit code 1 where a part has failed, or hasn't reached what is demanded of it.
"""

import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.serving import INSTALLED
from tests.benchmarks.threads import INTERPRETER
from tests.support.running import UNMEASURED


def parts(folder: Path) -> list[list[str]]:
    """Return the commands."""
    compare = [sys.executable, str(folder / "compare.py"), "--sockctl", INSTALLED]
    own = [sys.executable, "-m"]
    found = [
        [*compare, "pingpong", "pipelined", "thousand", "burst", "memory"],
        [*compare, "--peers", "thread_c,epoll_c,uvloop,asyncio", "tenk", "single"],
        [*compare, "--rounds", "5", "--peers", "ngircd,ncat", "chat", "chat1"],
        [*compare, "--peers", "ngircd", "chat1000"],
        [*own, "tests.benchmarks.longer", str(folder)],
        [*own, "tests.benchmarks.chat"],
        [*own, "tests.benchmarks.logins"],
        [*own, "tests.benchmarks.growth"],
        [*own, "tests.benchmarks.tls"],
        [*own, "tests.benchmarks.decoder"],
        [*own, "tests.benchmarks.bench", str(folder)],
        [*own, "tests.benchmarks.start"],
        [*own, "tests.benchmarks.shares", str(folder)],
    ]
    return [*found, [*own, "tests.benchmarks.threads"]] if INTERPRETER.exists() else found


def main(folder: Path) -> int:
    """Run all, one after the other, and return 1 where one has failed."""
    failed = []
    for command in parts(folder):
        shown = " ".join([Path(command[0]).name, *command[1:]])
        print(f"\n== {shown}", flush=True)
        began = time.monotonic()
        code = subprocess.run(command, check=False, env=UNMEASURED).returncode
        print(f"== {time.monotonic() - began:.0f} s, exit code {code}", flush=True)
        if code:
            failed.append(shown)
    for shown in failed:
        print(f"failed, or too slow: {shown}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/bench")))
