"""Stores that have grown: what a login or a visit takes beside many sessions or clients.

The stores are filled by their public ways. Where that takes too long, the entries are as many as could be made in time,
which the table tells.
"""

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sockctl.accounts.session_store import MAX_PER_USER
from sockctl.services.known_clients import KnownClients
from tests.benchmarks.hostile.served import served_at
from tests.benchmarks.hostile.table import Row
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.frames import frame_client

__all__ = ["sessions", "visits"]

FEW, MANY = 10, 100_000
FILLING_S = 120.0
ADDED_MS = 3.0
TRIES = 30
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  its folders are made by tempfile
"""Where filling doesn't wait for a disk."""


def sessions(_: float) -> Iterator[Row]:
    """Log in beside few sessions, and beside many."""
    yield from _compared("sessions", "login", _with_sessions)


def visits(_: float) -> Iterator[Row]:
    """Visit beside few known clients, and beside many."""
    yield from _compared("visits", "visit", _with_clients)


def _compared(name: str, what: str, measured: Callable[[int], tuple[float, int]]) -> Iterator[Row]:
    few, _ = measured(FEW)
    many, count = measured(MANY)
    note = f"{few:.1f} ms beside {FEW}, {many:.1f} ms beside {count:,}"
    figure = many - few
    yield Row(attack=name, what=f"a {what}'s added time", figure=figure, unit="ms", goal=ADDED_MS, note=note)


def _with_sessions(count: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        accounts = accounts_at(Path(folder), "ann")
        user = accounts.users.get("ann")
        until = time.monotonic() + FILLING_S
        for number in range(count):
            other = dataclasses.replace(user, name=f"user{number // MAX_PER_USER}")
            accounts.sessions.begin(other, "127.0.0.9", with_token=True)
            if time.monotonic() > until:
                break
        made = len(accounts.sessions.list_all())
        with served_at(folder, "auth") as server:
            return _median_ms(server.port, "ann"), made


def _with_clients(count: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        clients = KnownClients(Path(folder))
        clients.remember("127.0.0.1", "ann")
        until = time.monotonic() + FILLING_S
        for number in range(1, count):
            clients.remember(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"client{number}")
            if time.monotonic() > until:
                break
        made = len(clients.list_all())
        with served_at(folder, "identify") as server:
            return _median_ms(server.port, ""), made


def _median_ms(port: int, user: str) -> float:
    took = []
    for _ in range(TRIES):
        began = time.monotonic()
        with frame_client(port) as client:
            if user:
                client.send(kind="answer", field="name", text=user)
                client.send(kind="answer", field="password", text=PASSWORD)
            while (one := client.receive()) is None or one["kind"] != "welcome":
                assert one is not None, "a polite client isn't let in"
            took.append(time.monotonic() - began)
            if not user:
                client.rest()  # what is noted behind the greeting counts, too
                took[-1] = time.monotonic() - began
    return 1000 * statistics.median(took)


def _memory() -> Path | None:
    return SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
