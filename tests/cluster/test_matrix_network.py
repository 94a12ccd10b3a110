"""A chat on three nodes whose lines to the engine have faults: each message is said once, or its sender is told."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sockctl.cluster.keys import LOG
from tests.support.cluster_nodes import Cluster, running_cluster
from tests.support.cluster_talk import STEADY, Talk, talking
from tests.support.running import wait_until
from tests.support.tcp_proxy import TcpProxy

SHORT_S, LONG_S = 1.0, 3.0
"""A hole in which nobody is refused anything, and one in which what was sent is refused: about as long as a lease."""


def hole(cluster: Cluster, seconds: float, *, late: bool) -> None:
    cluster.proxies[0].open_hole()
    time.sleep(seconds)
    cluster.proxies[0].close_hole(late=late)


def cut_replies(cluster: Cluster, request: bytes) -> None:
    for proxy in cluster.proxies:
        before = proxy.cut_replies
        proxy.cut_reply(request)
        wait_until(partial(has_cut, proxy, before), what="a reply that is cut off")


def has_cut(proxy: TcpProxy, before: int) -> bool:
    return proxy.cut_replies > before


def reset(cluster: Cluster) -> None:
    for _ in range(5):
        for proxy in cluster.proxies:
            proxy.reset()
        time.sleep(0.1)


FAULTS: dict[str, Callable[[Cluster], None]] = {
    "a short hole, and all arrives late": lambda cluster: hole(cluster, SHORT_S, late=True),
    "a short hole, and all is gone": lambda cluster: hole(cluster, SHORT_S, late=False),
    "a long hole, and all arrives late": lambda cluster: hole(cluster, LONG_S, late=True),
    "a long hole, and all is gone": lambda cluster: hole(cluster, LONG_S, late=False),
    "resets": reset,
    "replies that are cut off after a post was done": lambda cluster: cut_replies(cluster, b"_post"),
    "replies that are cut off in reading": lambda cluster: cut_replies(cluster, b"XREAD"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_message_is_said_once(fault: str, tmp_path: Path) -> None:
    times = "short" if "long" in fault else "patient"
    with running_cluster(tmp_path, times=times) as cluster, talking(cluster, manners=[STEADY]) as talk:
        FAULTS[fault](cluster)
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert set(outcome.refusals) <= ({"not_said"} if "long" in fault else set())
    assert not outcome.departures or "long" in fault


def test_a_line_of_30_ms_is_only_slower(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster, talking(cluster) as talk:
        for proxy in cluster.proxies:
            proxy.slow_down(delay_s=0.03)
        talk.go_on(100)
        outcome = talk.finish()
        for proxy in cluster.proxies:
            proxy.heal()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert not outcome.refusals


def test_a_member_who_comes_to_a_node_that_reads_late_hears_nothing_twice(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster, talking(cluster, manners=[STEADY]) as talk:
        late, comer = cluster.proxies[1], talk.list_at(cluster.nodes[0])[0]
        late.hold_replies(b"XREAD")
        wait_for_others(talk)
        arrivals = comer.transcript.arrivals
        comer.move()
        time.sleep(0.5)  # the node may let it in only when it has read what the member has heard
        late.hold_replies(b"")
        wait_until(lambda: comer.transcript.arrivals > arrivals, what="that the member is let in")
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)


def test_members_of_a_node_that_reads_behind_the_logs_end_are_told(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster, talking(cluster, manners=[STEADY]) as talk:
        cluster.proxies[1].hold_replies(b"XREAD")
        wait_for_others(talk)
        cluster.engine.ask("XTRIM", LOG, "MAXLEN", 1)
        cluster.proxies[1].reset()  # a reply from before is lost
        cluster.proxies[1].hold_replies(b"")
        here = {each.transcript.name for each in talk.list_at(cluster.nodes[1])}
        outcome = talk.finish()
    assert not outcome.flaws, "\n".join(outcome.flaws)
    assert here
    assert {one.name for one in outcome.transcripts if one.told} >= here
    assert outcome.notices["missed"] == outcome.notices.total()


def wait_for_others(talk: Talk) -> None:
    """Let those at the other nodes hear some lines that this one doesn't read."""
    others = [each for each in talk.members if each not in talk.list_at(talk.cluster.nodes[1])]
    Talk(talk.cluster, others).go_on(20)
