"""Silence: connections that take the places of others and say nothing."""

import math
from collections.abc import Iterator

from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import served
from tests.benchmarks.hostile.table import Row

__all__ = ["places", "programs"]

SILENT = [f"127.0.2.{number}" for number in range(1, 17)]
HONEST = [f"127.0.3.{number}" for number in range(1, 21)]
EACH = 32
PATIENCE_S = 5.0


def programs(seconds: float) -> Iterator[Row]:
    """Hold all the programs of a `talk` from one address, and see who else gets an answer."""
    yield from _taken("programs", "hold", ["127.0.0.2"], "reply", seconds, "talk", "--reply-with", "cat")


def places(seconds: float) -> Iterator[Row]:
    """Take all the places, and see who else gets in."""
    yield from _taken("places", "silent", SILENT, "guest", seconds, "chat")


def _taken(name: str, kind: str, addresses: list[str], service: str, seconds: float, *command: str) -> Iterator[Row]:
    with (
        served(*command) as server,
        part("attacker", hostile=True, port=server.port, kinds={kind: EACH}, addresses=addresses) as attack,
        part(
            "newcomers",
            port=server.port,
            service=service,
            seconds=seconds,
            addresses=HONEST,
            patience_s=PATIENCE_S,
        ) as honest,
    ):
        attack.go()
        found = honest.ask()
        came = [took for took in found["took"] if not math.isinf(took)]
        note = f"{found['tries']} tries; the slowest took {max(came, default=math.inf):.1f} s"
        what = f"of {len(HONEST)} users get in within {PATIENCE_S:g} s"
        yield Row(attack=name, what=what, figure=len(came), unit="", goal=len(HONEST), at_least=True, note=note)
