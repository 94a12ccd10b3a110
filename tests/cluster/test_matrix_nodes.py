"""A chat on three nodes, of which one is killed, stopped for too long, or asked to stop: nobody misses anything."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster_manner import Manner
from tests.support.cluster_nodes import running_cluster
from tests.support.cluster_talk import ROOMS, STEADY, Talk, talking
from tests.support.frames import frame_client
from tests.support.running import wait_until
from tests.support.transcript import Moved

AWAY = Manner(patience_s=60.0, comes_back=False)
"""A member that doesn't come back when its connection ends."""
QUICK = Manner(patience_s=6.0)
"""A member that goes on at another node, though not from one that a busy machine holds up."""


def departures_of(events: list[object], name: str) -> list[str]:
    return [one.room for one in events if isinstance(one, Moved) and (one.kind, one.name) == ("left", name)]


@contextlib.contextmanager
def waiting_for_moves(talk: Talk) -> Iterator[None]:
    """Wait at the end until the members of the first node have gone on at another one, and hear themselves there."""
    gone = {each: each.transcript.arrivals for each in talk.list_at(talk.cluster.nodes[0])}
    yield
    wait_until(
        lambda: all(each.transcript.arrivals > before and each.has_heard_its_words for each, before in gone.items()),
        what="that the members are at another node",
    )


def test_members_of_a_killed_node_go_on_at_another_and_nobody_hears_that_they_left(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster, talking(cluster, manners=[STEADY]) as talk:
        with waiting_for_moves(talk):
            cluster.nodes[0].kill()
        cluster.bury(cluster.nodes[0])
        talk.go_on(50)
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert outcome.departures == []


def test_who_does_not_come_back_from_a_killed_node_has_left_once(tmp_path: Path) -> None:
    with running_cluster(tmp_path, times="short") as cluster, talking(cluster, manners=[AWAY]) as talk:
        gone = talk.list_at(cluster.nodes[0])
        talk.members = [each for each in talk.members if each not in gone]
        cluster.nodes[0].kill()
        wait_until(
            lambda: all(
                sorted(departures_of([*each.transcript.events], one.name)) == sorted(ROOMS)
                for each in talk.members
                for one in (member.transcript for member in gone)
            ),
            what="that all hear who left",
        )
        talk.go_on(50)
        for each in talk.members:
            for one in gone:
                assert len(departures_of([*each.transcript.events], one.transcript.name)) == len(ROOMS)


@pytest.mark.parametrize("manner", [STEADY, QUICK])
def test_a_node_that_was_stopped_for_longer_than_its_lease_is_fenced(manner: Manner, tmp_path: Path) -> None:
    times = "patient" if manner is QUICK else "short"
    with running_cluster(tmp_path, times=times) as cluster, talking(cluster, manners=[manner]) as talk:
        with waiting_for_moves(talk) if manner is QUICK else contextlib.nullcontext():
            cluster.nodes[0].send(signal.SIGSTOP)
        if manner is QUICK:
            cluster.bury(cluster.nodes[0])
        wait_until(lambda: bool(cluster.nodes[1].events("node_gone")), what="that the node is given up")
        cluster.nodes[0].send(signal.SIGCONT)
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    if manner is QUICK:
        assert outcome.departures == []
    else:
        assert outcome.departures


def test_names_that_are_claimed_at_two_nodes_at_once_have_one_holder(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(20)]
    with running_cluster(tmp_path, nodes=2) as cluster, contextlib.ExitStack() as stack:
        clients = {(name, port): stack.enter_context(frame_client(port)) for name in names for port in cluster.ports}
        for client in clients.values():
            client.expect("ask", field="name")
        for (name, _), client in clients.items():
            client.send(kind="answer", field="name", text=name)
        answers = {each: client.receive() or {} for each, client in clients.items()}
    for name in names:
        kinds = sorted(answers[name, port]["kind"] for port in cluster.ports)
        assert kinds == ["error", "token"], name


def test_a_node_that_is_asked_to_stop_hands_its_members_on(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster, talking(cluster, manners=[STEADY]) as talk:
        assert cluster.nodes[0].terminate() == 0
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert outcome.departures == []
    assert any("server_stopping" in end for each in outcome.transcripts for end in each.ends)
