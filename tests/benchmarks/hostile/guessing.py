"""Guessing: whether strangers lock a user out, and whether a refusal tells who is known."""

import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sockctl.accounts.accounts import Accounts
from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import served_at
from tests.benchmarks.hostile.table import Row
from tests.support.accounts import PASSWORD, make_cheap
from tests.support.frames import frame_client

__all__ = ["lockout", "refusals"]

USER = "ann"
STRANGERS, HONEST = 60, 12
PATIENCE_S = 30.0
SLOW_TIME_COST = 30
KNOWN = 4
TRIES = 3
DIFFERENCE_MS = 25.0


def lockout(seconds: float, *, obey: bool, spread: bool = False) -> Iterator[Row]:
    """Let strangers guess at an account, and its user come from new addresses with the right password.

    Args:
        seconds: For how long the strangers are alone.
        obey: Whether the strangers wait as long as they are told.
        spread: Whether each stranger has a network (/16) of its own; else they share 127.0.1.0/24.
    """
    name = "lockout" + ("" if obey else "-rude") + ("-spread" if spread else "")
    strangers = [f"127.{number}.0.1" if spread else f"127.0.1.{number}" for number in range(1, STRANGERS + 1)]
    honest = [f"127.{100 + number}.0.1" for number in range(HONEST)]
    with tempfile.TemporaryDirectory() as folder:
        Accounts(Path(folder)).add(USER, PASSWORD)
        with (
            served_at(folder, "auth") as server,
            part("guessers", hostile=True, port=server.port, user=USER, addresses=strangers, obey=obey) as guess,
            part(
                "newcomers",
                port=server.port,
                service="auth",
                seconds=seconds,
                addresses=honest,
                user=USER,
                patience_s=PATIENCE_S,
            ) as users,
        ):
            guess.ask()
            guess.go()
            time.sleep(seconds)
            found = users.ask()
    came = [took for took in found["took"] if not math.isinf(took)]
    slowest = f"{max(came):.1f} s" if came else "never"
    note = f"{found['tries']} tries; the slowest of them took {slowest}"
    what = f"of {HONEST} new addresses get in within {PATIENCE_S:g} s"
    yield Row(attack=name, what=what, figure=len(came), unit="", goal=HONEST, at_least=True, note=note)


def refusals(_: float) -> Iterator[Row]:
    """Time the refusals of known and unknown names, after the costs of a hash were made less."""
    with tempfile.TemporaryDirectory() as folder:
        make_cheap(Path(folder), time_cost=SLOW_TIME_COST, memory_kib=65_536, parallelism=4)
        accounts = Accounts(Path(folder))
        for number in range(KNOWN):
            accounts.add(f"known{number}", PASSWORD)
        make_cheap(Path(folder))
        with served_at(folder, "auth") as server:
            took: dict[str, list[float]] = {"known": [], "unknown": []}
            for turn in range(TRIES * KNOWN):
                for count, kind in enumerate(took):
                    address = f"127.0.{5 + count}.{turn + 1}"
                    took[kind].append(_refused_s(server.port, f"{kind}{turn % KNOWN}", address))
    known, unknown = (1000 * statistics.median(took[kind]) for kind in ("known", "unknown"))
    note = f"known {known:,.0f} ms, unknown {unknown:,.0f} ms"
    what = "refusal of a known name, beside an unknown"
    yield Row(attack="refusals", what=what, figure=abs(known - unknown), unit="ms", goal=DIFFERENCE_MS, note=note)


def _refused_s(port: int, name: str, address: str) -> float:
    with frame_client(port, source=address) as client:
        client.send(kind="answer", field="name", text=name)
        client.send(kind="answer", field="password", text="wrong but long enough")
        began = time.monotonic()
        while (one := client.receive()) is None or one["kind"] != "error":
            assert one is not None, "the server has dropped a client"
        assert one["code"] == "login_failed", one
        return time.monotonic() - began
