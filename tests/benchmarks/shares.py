"""How the server spends its time: ``python -m tests.benchmarks.shares``. Linux on x86-64, with gcc and perf.

A server of each kind is put under load and looked at by perf, 4,000 times a second of its own processor time; each look
counts for the first of these that holds:

- a system call that the program was in: sending, receiving or waiting (epoll);
- other work of the kernel;
- else the library that it was in: argon2, or all else, which is Python.

Where py-spy is installed, the functions of this package that held Python's global lock most often are named as well.
"""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sockctl.accounts.accounts import Accounts
from tests.benchmarks.peers.programs import compile_program
from tests.benchmarks.peers.servers import CROWDED, FRAMES
from tests.benchmarks.serving import serving
from tests.support.accounts import PASSWORD
from tests.support.running import SOCKCTL, UNMEASURED

SECONDS = 3
CALLS = {"sendto": "sending", "recvfrom": "receiving", "recvmsg": "receiving", "epoll_wait": "waiting"}
SHARES = ("sending", "receiving", "waiting", "other kernel", "argon2", "Python")
Load = Callable[[int], list[str]]


def share_of(stack: list[str]) -> str:
    """Return the share that a stack of perf counts for: ``symbol (library)`` a line, the innermost first."""
    for line in stack:
        if "__x64_sys_" in line:
            return CALLS.get(line.split("__x64_sys_")[1].split()[0].split("+")[0], "other kernel")
    if stack and "argon2" in stack[0]:
        return "argon2"
    return "other kernel" if stack and "kernel" in stack[0] else "Python"


def stacks(text: str) -> Iterator[list[str]]:
    """Return the stacks that ``perf script`` has printed."""
    for block in text.split("\n\n"):
        if lines := [line.strip() for line in block.splitlines() if line.strip()]:
            yield lines


def shares(folder: str, pid: int, load: list[str]) -> Counter[str]:
    """Return how often a process under load was found in each share."""
    data = f"{folder}/perf.data"
    record = ["perf", "record", "-e", "cpu-clock", "-F", "4000", "-g", "-o", data, "-p", str(pid)]
    with watching(record):
        subprocess.run(load, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=UNMEASURED)
    script = ["perf", "script", "-i", data, "-F", "ip,sym,dso"]
    out = subprocess.run(script, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return Counter(map(share_of, stacks(out.decode(errors="replace"))))


def functions(folder: str, pid: int, load: list[str]) -> Counter[str]:
    """Return how often a function of this package was the innermost one at work, the global lock held."""
    raw = f"{folder}/stacks"
    with watching(["py-spy", "record", "--gil", "-f", "raw", "-r", "200", "-o", raw, "-p", str(pid)]):
        subprocess.run(load, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=UNMEASURED)
    found: Counter[str] = Counter()
    for line in Path(raw).read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        own = [frame for frame in stack.split(";") if "sockctl/" in frame]
        if own:
            found[own[-1].split(" (")[0]] += int(count)
    return found


@contextlib.contextmanager
def watching(command: list[str]) -> Iterator[None]:
    """Run a profiler until the end."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(1.0)  # it tells nobody when it has begun
        yield
        process.send_signal(signal.SIGINT)


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as name:
        loadgen, fanout = (compile_program(program, Path(name)) for program in ("loadgen", "fanout"))
        chat_words = (FRAMES.preamble, FRAMES.say, FRAMES.framing, "1", "40")

        def echo(clients: int, depth: int, port: int) -> list[str]:
            return [loadgen, "127.0.0.1", str(port), str(clients), "1024", str(depth), str(SECONDS)]

        def chat(messages: int, window: int, port: int) -> list[str]:
            return [fanout, "127.0.0.1", str(port), "100", "1", str(messages), str(window), *chat_words]

        def login(port: int) -> list[str]:
            secret = Path(name, "secret")
            secret.touch(0o600)
            secret.write_text(f"{PASSWORD}\n")
            return [
                *(*SOCKCTL, "bench", "login", f"127.0.0.1:{port}", "--user", "ann", "--password-file", str(secret)),
                *("--clients", "4", "--duration", str(SECONDS)),
            ]

        measures: list[tuple[str, str, tuple[str, ...], Load]] = [
            ("echo, 1 client, 1 in flight", "echo", CROWDED, partial(echo, 1, 1)),
            ("echo, 50 clients, 1 in flight", "echo", CROWDED, partial(echo, 50, 1)),
            ("echo, 50 clients, 16 in flight", "echo", CROWDED, partial(echo, 50, 16)),
            ("chat, 100 members, 1 in flight", "chat", ("--no-flood-limit", *CROWDED), partial(chat, 4_000, 1)),
            ("chat, 100 members, 50 in flight", "chat", ("--no-flood-limit", *CROWDED), partial(chat, 60_000, 50)),
            ("login, 4 clients", "auth", CROWDED, login),
        ]
        print(f"{'share of the processor time, in %':<34}" + "".join(f"{share:>13}" for share in SHARES))
        for shown, service, options, load in measures:
            with tempfile.TemporaryDirectory() as folder:
                if service == "auth":
                    accounts = Accounts(Path(folder))
                    accounts.users.add("ann", accounts.hasher.hash(PASSWORD))
                with serving(folder, service, *options) as (port, pid):
                    counted = shares(name, pid, load(port))
                    row = "".join(f"{100 * counted[share] / counted.total():>13.1f}" for share in SHARES)
                    print(f"{shown:<34}{row}", flush=True)
                    if shutil.which("py-spy"):
                        top = functions(name, pid, load(port))
                        words = (f"{what} {100 * count / top.total():.0f} %" for what, count in top.most_common(5))
                        print(f"    {', '.join(words)}", flush=True)


if __name__ == "__main__":
    main()
