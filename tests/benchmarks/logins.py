"""Logins with the default password hash: ``python -m tests.benchmarks.logins``. Linux only: it reads /proc.

Each round, on a server of its own: 200 clients in frames get to the question for the password, then all answer it at
once, and it is counted how many got in, got busy, or anything else, and how far the server's memory rose above idle.
Then as many clients as keep the line filled log in again and again, and their rate is compared with that of the bare
hash on as many threads as there are slots, by turns. The load is a process of its own; the median over the rounds is
printed.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argon2 import PasswordHasher

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.hash_queue import HashQueue
from tests.benchmarks.serving import serving
from tests.support.frames import FrameClient, frame_client

CLIENTS = 200
SECONDS = 5.0
TURNS = 4
FILLING_S = 2.0
"""After so long the line is full."""
ROUNDS = 3
PASSWORD = "tall copper window frog"
SLOTS = HashQueue().slots
LOOPING = SLOTS + 16
"""Clients that keep all slots busy, and never get `busy`."""
MEMORY_MIB = SLOTS * 64 + 150
RATIO = 0.9
_MODULE = "tests.benchmarks.logins"


def resident_mib(pid: int, *, peak: bool = False) -> float:
    """Return the memory of a process, or the most since `forget_peak`."""
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def forget_peak(pid: int) -> None:
    """Let the peak begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def load(*arguments: object) -> str:
    """Run this module as a load, and return its output."""
    command = [sys.executable, "-m", _MODULE, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout.strip()


def repeated(count: int, do: Callable[[int], object]) -> float:
    """Let `count` threads do something again and again; return how often a second, once all of them are at it."""
    began = time.monotonic() + FILLING_S
    until = began + SECONDS

    def repeat(number: int) -> int:
        done = 0
        while time.monotonic() < until:
            do(number)
            done += began < time.monotonic() < until
        return done

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(repeat, range(count))) / SECONDS


def bare_rate(hashed: str) -> float:
    """Return hashes verified per second, with one thread a slot."""
    hasher = PasswordHasher()
    return repeated(SLOTS, lambda _: hasher.verify(hashed, PASSWORD))


def at_once(port: int) -> Counter[str]:
    """Let all clients answer at once, and count the server's replies."""
    ready = threading.Barrier(CLIENTS)

    def log_in(number: int) -> str:
        with frame_client(port) as client:
            _named(client, number)
            ready.wait(60)
            return _answered(client)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(pool.map(log_in, range(CLIENTS)))


def rate(port: int) -> float:
    """Return logins per second of clients that log in again and again."""

    def log_in(number: int) -> None:
        with frame_client(port) as client:
            _named(client, number)
            outcome = _answered(client)
            assert outcome == "welcome", outcome

    return repeated(LOOPING, log_in)


def _named(client: FrameClient, number: int) -> None:
    """Answer the first question."""
    client.expect("ask", field="name")
    client.send(kind="answer", field="name", text=f"user{number}")
    client.expect("ask", field="password")


def _answered(client: FrameClient) -> str:
    """Answer the second question, and return the kind of the server's reply."""
    client.sock.settimeout(60)
    client.send(kind="answer", field="password", text=PASSWORD)
    one = client.receive()
    if one is not None and one["kind"] == "token":
        one = client.receive()
    return "end" if one is None else str(one.get("code", one["kind"]))


def main() -> None:
    """Print the figures and their goals."""
    rose, ratios, rates, bare = [], [], [], []
    outcomes: Counter[str] = Counter()
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            accounts = Accounts(Path(folder))
            hashed = accounts.hasher.hash(PASSWORD)
            for number in range(CLIENTS):
                accounts.users.add(f"user{number}", hashed)
            with serving(folder, "auth", "--max-clients-per-address", "1000", "--max-pending", "500") as (port, pid):
                time.sleep(1.0)
                idle_mib = resident_mib(pid)
                forget_peak(pid)
                for line in load("at-once", port).splitlines():
                    outcome, _, count = line.partition(" ")
                    outcomes[outcome] += int(count)
                rose.append(resident_mib(pid, peak=True) - idle_mib)
                turns = [(float(load("rate", port)), float(load("bare", hashed))) for _ in range(TURNS)]
                rates.append(statistics.mean(own for own, _ in turns))
                bare.append(statistics.mean(other for _, other in turns))
                ratios.append(rates[-1] / bare[-1])
    odd = outcomes.total() - outcomes["welcome"] - outcomes["busy"]
    print(f"slots {SLOTS}, cores {os.cpu_count()}, {CLIENTS} at once, {ROUNDS} rounds")
    print(f"memory above idle  {statistics.median(rose):8.1f} MiB   at most {MEMORY_MIB} (each {_list(rose)})")
    print(f"got in {outcomes['welcome']}, busy {outcomes['busy']}, anything else {odd}")
    print(f"logins/s           {statistics.median(rates):8.2f}       bare {statistics.median(bare):.2f}")
    print(f"logins/bare        {statistics.median(ratios):8.3f}       at least {RATIO} (each {_list(ratios)})")


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["at-once", port]:
            for outcome, count in at_once(int(port)).items():
                print(outcome, count)
        case ["rate", port]:
            print(rate(int(port)))
        case ["bare", hashed]:
            print(bare_rate(hashed))
        case _:
            main()
