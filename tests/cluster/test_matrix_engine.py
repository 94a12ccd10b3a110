"""A chat on three nodes whose engine is killed, stops, or has no memory: nothing is lost, or its loss is told."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.cluster_nodes import ENGINES, Cluster, running_cluster, running_watched
from tests.support.cluster_talk import STEADY, talking
from tests.support.node_entry import TIMES
from tests.support.running import wait_until
from tests.support.sentinels import watched_engines

FAILOVER_S = 50.0
"""Alone it takes some 3 s. A Sentinel that a busy machine holds up for 2 s does nothing for the next 30 s."""


def kill(cluster: Cluster, away_s: float = 0.0) -> None:
    cluster.engine.kill()
    time.sleep(away_s)
    cluster.engine.start()


@pytest.mark.parametrize("engine", ENGINES)
def test_all_speak_again_after_the_engine_was_killed(engine: str, tmp_path: Path) -> None:
    with (
        running_cluster(tmp_path, engine=engine, times="lasting") as cluster,
        talking(cluster, manners=[STEADY]) as talk,
    ):
        kill(cluster)
        talk.go_on()
        kill(cluster, away_s=TIMES.away_after_s + 0.2)
        outcome = talk.finish(may_lose=engine != "always")
    assert not outcome.flaws, "\n".join(outcome.flaws)
    if engine == "none":
        assert outcome.notices["lost"]


def test_each_loss_is_told_to_all(tmp_path: Path) -> None:
    """The engine's machine crashes: what some nodes had read is lost, and others had not read it."""
    with (
        running_cluster(tmp_path, engine="everysec", times="lasting") as cluster,
        talking(cluster, manners=[STEADY]) as talk,
    ):
        for _ in range(3):
            cluster.engine.kill()
            cluster.engine.lose(5_000)
            cluster.engine.start()
            talk.go_on()
        outcome = talk.finish(may_lose=True)
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert all(one.told for one in outcome.transcripts)


@contextmanager
def full(cluster: Cluster) -> Iterator[None]:
    cluster.engine.ask("CONFIG", "SET", "maxmemory", 1)
    yield
    cluster.engine.ask("CONFIG", "SET", "maxmemory", 0)


@contextmanager
def killed(cluster: Cluster) -> Iterator[None]:
    cluster.engine.kill()
    yield
    cluster.engine.start()


FAULTS: dict[str, Callable[[Cluster], AbstractContextManager[None]]] = {
    "stopped": lambda cluster: cluster.engine.stopped(),
    "out of memory": full,
    "killed": killed,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_not_said_is_exact(fault: str, tmp_path: Path) -> None:
    with running_cluster(tmp_path, times="lasting") as cluster, talking(cluster, manners=[STEADY]) as talk:
        with FAULTS[fault](cluster):
            wait_until(
                lambda: all("not_said" in each.transcript.refused.values() for each in talk.members),
                what="that each member is told what was not said",
            )
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert set(outcome.refusals) == {"not_said"}
    assert outcome.departures == []


def test_an_engine_that_loads_is_waited_for(tmp_path: Path) -> None:
    slowly = ("--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024")
    with running_cluster(tmp_path, settings=slowly) as cluster, talking(cluster, manners=[STEADY]) as talk:
        talk.go_on(60)
        kill(cluster)
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)


@pytest.mark.slow
def test_a_replica_takes_over(tmp_path: Path) -> None:
    """It may lack what came last: that is told, and no id is given twice."""
    with (
        watched_engines(tmp_path) as watched,
        running_watched(tmp_path, watched) as cluster,
        talking(cluster, manners=[STEADY]) as talk,
    ):
        cluster.engine.kill()
        outcome = talk.finish(may_lose=True, alive_s=FAILOVER_S)
    assert not outcome.flaws, "\n".join(outcome.flaws)
