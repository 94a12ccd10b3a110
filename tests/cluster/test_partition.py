"""Three machines, made of network namespaces: two with a node each, and the engine between them. One is cut off."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster_nodes import Cluster, running_apart
from tests.support.cluster_talk import STEADY, talking
from tests.support.running import wait_until
from tests.support.star import Star, star
from tests.support.tools import unavailable
from tests.support.two_hosts import Line, UnavailableError

LINE = Line(round_trip_ms=10)
"""Packets of 1,500 bytes, and some way between the machines."""
SHORT_S = 0.5
"""With TCP's own pauses it is over long before anything is refused."""


@contextlib.contextmanager
def apart(folder: Path, *, times: str = "patient") -> Iterator[tuple[Star, Cluster]]:
    """Run two nodes on machines of their own, and the engine on a third one."""
    with contextlib.ExitStack() as stack:
        try:
            machines = stack.enter_context(star(2, LINE))
        except UnavailableError as error:
            unavailable(str(error))
        yield machines, stack.enter_context(running_apart(folder, machines, times=times))


def test_a_short_partition_loses_nothing(tmp_path: Path) -> None:
    with apart(tmp_path) as (machines, cluster), talking(cluster, manners=[STEADY]) as talk:
        machines.cut(0)
        time.sleep(SHORT_S)
        machines.mend(0)
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert not outcome.refusals
    assert outcome.departures == []


@pytest.mark.slow
def test_a_partition_for_longer_than_the_lease_heals(tmp_path: Path) -> None:
    with apart(tmp_path, times="short") as (machines, cluster), talking(cluster, manners=[STEADY]) as talk:
        machines.cut(0)
        wait_until(lambda: bool(cluster.nodes[1].events("node_gone")), what="that the node is given up")
        wait_until(
            lambda: all("not_said" in each.transcript.refused.values() for each in talk.members[::2]),
            what="that those who are cut off are told what was not said",
        )
        machines.mend(0)
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert set(outcome.refusals) == {"not_said"}
    assert outcome.departures
