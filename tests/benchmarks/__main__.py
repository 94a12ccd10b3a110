"""Make the figures of ``sockctl help benchmarks`` again: ``python -m tests.benchmarks``, on a quiet machine.

Each part is a program of its own, whose name and output are printed. The peers that are installed are measured (socat,
ncat, ngircd, uvloop, python-socketio, Socket.IO, ws), the others left out; so are the parts that need redis-server,
where there is none, and two event threads on a free-threaded interpreter, where there is no ``.venv-t`` with one. Exit
code 1 where a part has failed, or hasn't reached what is demanded of it.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.threads import INTERPRETER
from tests.support.running import UNMEASURED


def parts() -> list[list[str]]:
    """Return the commands."""
    own = [sys.executable, "-m"]
    compare = [*own, "tests.benchmarks.peers.compare"]
    found = [
        [*compare, "pingpong", "pipelined", "thousand", "burst", "memory"],
        [*compare, "--peers", "thread_c,epoll_c,uvloop,asyncio", "tenk", "single"],
        [*compare, "--rounds", "5", "--peers", "ngircd,ncat", "chat", "chat1", "longer"],
        [*compare, "--peers", "ngircd", "chat1000"],
        [*own, "tests.benchmarks.chat"],
        [*own, "tests.benchmarks.web"],
        [*own, "tests.benchmarks.logins"],
        [*own, "tests.benchmarks.growth"],
        [*own, "tests.benchmarks.tls"],
        [*own, "tests.benchmarks.udp"],
        [*own, "tests.benchmarks.decoder"],
        [*own, "tests.benchmarks.bench"],
        [*own, "tests.benchmarks.exec"],
        [*own, "tests.benchmarks.start"],
        [*own, "tests.benchmarks.shares"],
    ]
    if shutil.which("redis-server"):
        found += [[*own, "tests.benchmarks.cluster"], [*own, "tests.benchmarks.peers.rooms"]]
    return [*found, [*own, "tests.benchmarks.threads"]] if INTERPRETER.exists() else found


def main() -> int:
    """Run all, one after the other, and return 1 where one has failed."""
    failed = []
    for command in parts():
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
    sys.exit(main())
