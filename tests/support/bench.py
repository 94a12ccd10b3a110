"""Plans for a server of the tests."""

import dataclasses
import socket
from typing import Any

from sockctl.bench.coordinator import measure
from sockctl.bench.plan import Kind, Plan, Where
from sockctl.bench.said import Said
from sockctl.bench.stats import Stats
from tests.support.running import TIMEOUT_S

RUN = "a1b2c3"


def where(port: int) -> Where:
    return Where(name=f"127.0.0.1:{port}", family=socket.AF_INET, address=("127.0.0.1", port))


def said(*keys: tuple[int, int]) -> list[Said]:
    """Return messages of these senders, with these numbers."""
    return [Said(sender, number, 1.0, 64) for sender, number in keys]


def plan(port: int = 1, kind: Kind = Kind.ECHO, **values: Any) -> Plan:
    short = Plan(
        kind=kind, servers=(where(port),), run=RUN, clients=4, duration_s=0.2, warm_up_s=0.0, timeout_s=TIMEOUT_S
    )
    return dataclasses.replace(short, **values)


def measured(port: int, kind: Kind = Kind.ECHO, *, processes: int = 1, **values: Any) -> Stats:
    """Measure; for longer where a busy machine has let nothing be sent in the short time that is usual here."""
    for duration_s in (0.2, 1.0, 5.0):
        outcome = measure(plan(port, kind, **{"duration_s": duration_s, **values}).divide(processes))
        assert not outcome.interrupted
        if outcome.stats.sent or outcome.stats.errors or "duration_s" in values:
            break
    return outcome.stats
