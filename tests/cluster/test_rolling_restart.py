"""Three nodes are restarted one after the other, while members talk: no message is lost, and nobody has left."""

from pathlib import Path

import pytest

from tests.support.cluster_nodes import running_cluster
from tests.support.cluster_talk import STEADY, Talk, talking


def restart_all(talk: Talk) -> None:
    for node in talk.cluster.nodes:
        assert node.terminate() == 0
        node.start()
        talk.go_on()


@pytest.mark.parametrize(
    ("count", "times"),
    [(6, 1), pytest.param(30, 3, marks=[pytest.mark.slow, pytest.mark.torture, pytest.mark.timeout(600)])],
)
def test_a_rolling_restart_is_not_noticed(tmp_path: Path, count: int, times: int) -> None:
    with running_cluster(tmp_path) as cluster, talking(cluster, count=count, manners=[STEADY]) as talk:
        for _ in range(times):
            restart_all(talk)
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert outcome.departures == []
    assert not outcome.refusals
    assert not outcome.notices
