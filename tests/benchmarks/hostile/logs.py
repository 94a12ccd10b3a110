"""What one address can make the server write."""

import time
from collections.abc import Iterator

from tests.benchmarks.hostile.budgets import CONNECTIONS, WARM_UP_S
from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import served
from tests.benchmarks.hostile.table import Row

__all__ = ["log"]

GOAL_MIB_S = 0.2
SERVICES = {"churn": ("chat",), "lines": ("talk", "--reply-with", "tee /dev/stderr")}


def log(kind: str, seconds: float) -> Iterator[Row]:
    """Let one address do what is logged, without a pause."""
    with (
        served(*SERVICES.get(kind, ("talk",))) as server,
        part("attacker", hostile=True, port=server.port, kinds={kind: CONNECTIONS}, addresses=["127.0.0.2"]) as attack,
    ):
        attack.go()
        time.sleep(WARM_UP_S)
        before = server.log_bytes
        time.sleep(seconds)
        rate = (server.log_bytes - before) / seconds / 1048576
        what = f"log of one address: {kind}"
        yield Row(attack=f"log-{kind}", what=what, figure=rate, unit="MiB/s", goal=GOAL_MIB_S)
