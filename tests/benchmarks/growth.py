"""The cost of a login and of a visit beside many entries: ``python -m tests.benchmarks.growth [ENTRIES]``.

The hash of the password is left out. A login begins a session, shows its token, and reads what the server looks at
twice a second; a visit finds a known client and notes it. Both are measured beside 10 entries and beside ENTRIES
(100,000), one at a time and 20 at once. Printed are milliseconds, and what is demanded of the difference.
"""

import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.sessions import Sessions
from sockctl.accounts.user import User
from sockctl.services.known_clients import KnownClients

FEW, MANY = 10, 100_000
TIMES = 300
AT_ONCE = 20
MORE_MS = 3.0
"""The limit for the difference that many entries make to a login or a visit."""


def user(number: int) -> User:
    """Return the user of that number."""
    now = Accounts(Path("/nonexistent")).now()
    return User(f"user{number}", "", now, now, disabled=False, credential_generation=1)


def log_in(sessions: Sessions, number: int) -> None:
    """Log in by password, and once more by token."""
    session = sessions.begin(user(number), "192.0.2.7", with_token=True)
    assert session.token is not None
    sessions.resume(session.token, "192.0.2.7", is_current=lambda _: True)


def visit(clients: KnownClients, number: int) -> None:
    """Note the visit of a known client."""
    address = f"2001:db8::{number % FEW:x}"
    assert clients.find(address) is not None
    clients.note_visit(address)


def sessions_at(folder: Path, entries: int) -> Callable[[int], None]:
    """Return a function that logs in beside so many sessions, 5 of each user."""
    sessions = Accounts(folder).sessions
    sessions.begin(user(0), "192.0.2.7", with_token=True)
    with contextlib.closing(sqlite3.connect(folder / "sessions.db")) as database, database:
        database.execute(
            "WITH RECURSIVE counted (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM counted WHERE n < ?) "
            "INSERT INTO sessions (id, user, credential_generation, server_id, address, created, last_used) "
            "SELECT printf('%012x', n), 'other' || n / 5, 1, server_id, address, created, last_used "
            "FROM sessions JOIN counted",
            (entries,),
        )
        database.execute(
            "INSERT INTO tokens (session, sha256, used) SELECT number, randomblob(32), FALSE FROM sessions"
        )
    return lambda number: log_in(sessions, number)


def clients_at(folder: Path, entries: int) -> Callable[[int], None]:
    """Return a function that notes a visit beside so many known clients."""
    clients = KnownClients(folder)
    for number in range(FEW):
        clients.remember(f"2001:db8::{number:x}", f"client{number}")
    with contextlib.closing(sqlite3.connect(folder / "clients.db")) as database, database:
        database.execute(
            "WITH RECURSIVE counted (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM counted WHERE n < ?) "
            "INSERT OR IGNORE INTO clients (address, name, name_key, first_seen, last_seen) "
            "SELECT printf('2001:db8:1::%x', n), 'other' || n, 'other' || n, n, n FROM counted",
            (FEW + 1, entries),
        )
    return lambda number: visit(clients, number)


def timed(do: Callable[[int], None], numbers: range, threads: int) -> list[float]:
    """Return how many milliseconds each call took."""

    def one(number: int) -> float:
        began = time.perf_counter()
        do(number)
        return (time.perf_counter() - began) * 1_000

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, numbers))


def main() -> int:
    """Print the figures; return 1 where one exceeds its limit."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for what, made in (("login and resume", sessions_at), ("visit", clients_at)):
            doing = {number: made(Path(folder) / f"{number}", number) for number in (FEW, many)}
            for threads in (1, AT_ONCE):
                medians = []
                for number, do in doing.items():
                    took = timed(do, range(threads * TIMES, (threads + 1) * TIMES), threads)
                    medians.append(statistics.median(took))
                    p99 = statistics.quantiles(took, n=100)[98]
                    beside = f"{what:<18} {number:>8,} entries {threads:>3} at once"
                    print(f"{beside}  p50 {medians[-1]:8.2f}  p99 {p99:8.2f} ms")
                if threads == 1:
                    more = medians[1] - medians[0]
                    failed |= more > MORE_MS
                    print(f"{what:<18} costs {more:+.2f} ms more                 at most {MORE_MS:g}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
