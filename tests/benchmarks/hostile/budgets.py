"""Floods of one address: input that costs the server time, while others chat and log in."""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.benchmarks.hostile.newcomers import USERS
from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import DRAIN_S, Served, served
from tests.benchmarks.hostile.table import Row

__all__ = ["CONNECTIONS", "P99_MS", "WARM_UP_S", "calm", "echo", "everything", "flood", "many", "newlines"]

ATTACKER = "127.0.0.2"
CONNECTIONS = 32
MEMBERS = 6
P99_MS, LOGIN_S = 50.0, 0.5
WARM_UP_S = 1.0
STOP_SLACK_S = 1.0
"""What the process itself takes to start and to end."""
_NAMES = (
    *(f"polite{number}" for number in range(MEMBERS)),
    *(f"newcomer{number}" for number in range(USERS)),
    *(f"mallory{number}" for number in range(8)),
)


def calm(seconds: float) -> Iterator[Row]:
    """Attack with nothing, for the figures to be compared with."""
    yield from _attack("calm", {}, seconds)


def flood(kind: str, seconds: float) -> Iterator[Row]:
    """Let all the connections of one address stream the same."""
    yield from _attack(kind, {kind: CONNECTIONS}, seconds)


def many(seconds: float) -> Iterator[Row]:
    """Let the connections of 16 addresses stream frames of an unknown kind: figures, since budgets are an address's."""
    for row in _attack("unknown-many", {"unknown": CONNECTIONS}, seconds, [f"127.0.2.{one}" for one in range(1, 17)]):
        yield row if row.what.startswith(("stop", "exit")) else replace(row, goal=None)


def echo(seconds: float) -> Iterator[Row]:
    """Let the connections of one address keep an echo busy, while another client sends a little."""
    with (
        served("echo") as server,
        part("pinger", port=server.port, seconds=seconds) as polite,
        part("attacker", hostile=True, port=server.port, kinds={"bytes": CONNECTIONS}, addresses=[ATTACKER]) as attack,
    ):
        attack.go()
        time.sleep(WARM_UP_S)
        heard = polite.ask()
        note = f"median {heard['p50'] * 1000:.1f} ms, {heard['lost']} lost"
        yield Row(attack="echo", what="polite p99", figure=heard["p99"] * 1000, unit="ms", goal=P99_MS, note=note)
        yield from _stop_rows("echo", server)


def everything(seconds: float) -> Iterator[Row]:
    """Let the connections of one address stream all kinds at once."""
    yield from _attack("everything", {"unknown": 10, "pong": 8, "telnet": 7, "empty": 7}, seconds)


def newlines(seconds: float) -> Iterator[Row]:
    """Let the connections of one address stream newlines to an operator's `talk`, while others come."""
    with served("talk") as server, part("newcomers", port=server.port, service="talk", seconds=seconds) as others:
        before = _median(others.ask()["took"])
        with part("attacker", hostile=True, port=server.port, kinds={"newlines": 32}, addresses=[ATTACKER]) as attack:
            attack.go()
            time.sleep(WARM_UP_S)
            yield _added("newlines", "a newcomer's added time, slowest", others.ask()["took"], before)
            yield from _stop_rows("newlines", server)


def _stop_rows(name: str, server: Served) -> Iterator[Row]:
    """Stop the server while it is attacked."""
    took, code = server.stop()
    yield Row(attack=name, what=f"stop (exit {code})", figure=took, unit="s", goal=DRAIN_S + STOP_SLACK_S)
    yield Row(attack=name, what="exit code of the stop", figure=code, unit="", goal=0)


def _attack(name: str, kinds: dict[str, int], seconds: float, addresses: Sequence[str] = (ATTACKER,)) -> Iterator[Row]:
    with (
        served("chat", "--auth", users=_NAMES) as server,
        part("polite", port=server.port, seconds=seconds, members=MEMBERS, users=True) as chat,
        part("newcomers", port=server.port, seconds=seconds, service="user") as logins,
    ):
        before = _median(logins.ask()["took"])
        with part(
            "attacker", hostile=True, port=server.port, kinds=kinds, addresses=addresses if kinds else ()
        ) as attack:
            attack.go()
            time.sleep(WARM_UP_S)
            cpu, began = server.cpu_s, time.monotonic()
            chat.go()
            logins.go()
            heard, took = chat.figures(), logins.figures()["took"]
            share = (server.cpu_s - cpu) / (time.monotonic() - began)
            note = f"median {heard['p50'] * 1000:.1f} ms, {heard['lost']} lost, {heard['gone']} dropped, "
            note += f"server {100 * share:.0f} % of a core"
            p99 = heard["p99"] * 1000
            yield Row(attack=name, what="polite p99", figure=p99, unit="ms", goal=P99_MS, note=note)
            yield _added(name, "a login's added time, slowest", took, before)
            for other in (chat, logins):
                other.end()
            yield from _stop_rows(name, server)


def _median(took: list[float]) -> float:
    return statistics.median(took)


def _added(name: str, what: str, took: list[float], before: float) -> Row:
    missing = sum(map(math.isinf, took))
    note = f"median {_median(took) * 1000:.0f} ms, calm {before * 1000:.0f} ms, {missing} of {len(took)} not in"
    return Row(attack=name, what=what, figure=max(took) - before, unit="s", goal=LOGIN_S, note=note)
