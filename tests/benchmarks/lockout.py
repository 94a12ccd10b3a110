"""Users with the right password at new addresses, beside strangers who guess: ``python -m tests.benchmarks.lockout``.

Linux only: each client takes an address of its own in 127.0.0.0/8. A hash costs a twelfth of what it costs by default,
so that a busy machine still hashes some dozens a second. The users obey `retry_after`. The strangers obey it where they
are throttled, and come again after half a second where the server is busy. Each attack has a server of its own. A line
says how many users got in, after how long, and how many guesses were hashed.
"""

import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sockctl.accounts.accounts import Accounts
from tests.benchmarks.serving import serving
from tests.support.accounts import PASSWORD, make_cheap
from tests.support.frames import FrameClient

USERS = 12
PATIENCE_S = 60.0
"""How long a user tries to log in."""
AHEAD_S = 10.0
"""How long the strangers guess before the users come."""
AGAIN_S = 0.5
"""How long a stranger that was not throttled waits before its next try."""
TIMEOUT_S = 60.0


def answer(port: int, source: str, user: str, password: str) -> tuple[str, float]:
    """Try once; return the server's answer, and how many seconds it asks to wait."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S, (source, 0)) as sock:
        client = FrameClient(sock)
        client.expect("ask", field="name")
        client.send(kind="answer", field="name", text=user)
        client.expect("ask", field="password")
        client.send(kind="answer", field="password", text=password)
        one = client.receive() or {"kind": "end"}
    return str(one.get("code", one["kind"])), float(one.get("retry_after") or 0)


class Strangers:
    """Strangers who guess until they are stopped."""

    def __init__(self, port: int, count: int, connections: int, users: list[str]) -> None:
        self.guesses = self.refusals = 0
        self._lock = threading.Lock()  # guards the two above
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._guess, args=(port, f"127.1.0.{number % count + 1}", users, number))
            for number in range(count * connections)
        ]
        for thread in self._threads:
            thread.start()

    def _guess(self, port: int, source: str, users: list[str], number: int) -> None:
        code, wait_s = "", 0.0
        while not self._stopping.wait(wait_s if code == "throttled" else AGAIN_S):
            number += 1
            try:
                code, wait_s = answer(port, source, users[number % len(users)], f"guess number {number} or so")
            except (OSError, AssertionError):
                code = "lost"
            with self._lock:
                self.guesses += code == "login_failed"
                self.refusals += code != "login_failed"

    def stop(self) -> None:
        """Stop the strangers."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)


def enter(port: int, source: str, user: str) -> float | None:
    """Let a user log in, obeying the server; return after how many seconds it was in, None for never."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        code, wait_s = answer(port, source, user, PASSWORD)
        if code in {"token", "welcome"}:
            return time.monotonic() - began
        time.sleep(wait_s)
    return None


def attack(strangers: int, connections: int, guessed: int) -> None:
    """Print how 12 users log in beside so many strangers, who guess at the first user's password."""
    users = [f"user{number}" for number in range(USERS)]
    with tempfile.TemporaryDirectory() as folder:
        make_cheap(Path(folder), memory_kib=16_384)
        accounts = Accounts(Path(folder))
        hashed = accounts.hasher.hash(PASSWORD)
        for user in users:
            accounts.users.add(user, hashed)
        with serving(folder, "auth") as (port, _), ThreadPoolExecutor(USERS) as pool:
            began = time.monotonic()
            crowd = Strangers(port, strangers, connections, users[:guessed])
            time.sleep(AHEAD_S)
            entering = [
                pool.submit(enter, port, f"127.2.0.{number + 1}", users[number % guessed]) for number in range(USERS)
            ]
            times = [one.result() for one in entering]
            took_s = time.monotonic() - began
            crowd.stop()
    inside = sorted(one for one in times if one is not None)
    last = f"the last after {inside[-1]:.1f} s" if inside else "nobody"
    print(
        f"{strangers:2} strangers with {connections} connections at {guessed:2} users: {len(inside):2} of {USERS} in, "
        f"{last}; {crowd.guesses} guesses in {took_s:.0f} s, {crowd.refusals} refused",
        flush=True,
    )


if __name__ == "__main__":
    attack(5, 1, guessed=1)
    attack(60, 2, guessed=1)
    attack(60, 4, guessed=USERS)
