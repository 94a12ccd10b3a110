"""The figures of a chat on several machines: their goals, and the members who listen."""

import contextlib
from pathlib import Path

import pytest

from sockctl.events.base import Level
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from tests.benchmarks.cluster import Figure
from tests.benchmarks.cluster_names import claim_names
from tests.benchmarks.cluster_stage import ENGINES, Listener, measure, running_cluster
from tests.support.running import running
from tests.support.tools import tool


@pytest.mark.parametrize(
    ("figure", "is_reached", "goal"),
    [
        (Figure("a", 2.0, "ms", at_most=2.0), True, "<= 2"),
        (Figure("a", 2.1, "ms", at_most=2.0), False, "<= 2"),
        (Figure("a", 882_000, "/s", at_least=882_000), True, ">= 882,000"),
        (Figure("a", 881_999, "/s", at_least=882_000), False, ">= 882,000"),
        (Figure("a", float("nan"), "ms", at_most=2.0), False, "<= 2"),
        (Figure("a", None, "s", at_most=2.0), False, "<= 2"),
    ],
)
def test_a_goal_is_reached_or_not(figure: Figure, is_reached: bool, goal: str) -> None:
    assert (figure.is_reached, figure.goal) == (is_reached, goal)


def test_listeners_note_what_they_hear_and_come_back(tmp_path: Path) -> None:
    with running(Chat(tmp_path, ChatRules()), level=Level.WARNING) as run, contextlib.ExitStack() as undo:
        ann = Listener(run.port, "ann")
        undo.callback(ann.close)
        bob = Listener(run.port, "bob")
        bob.say("hello")
        assert ann.wait_for(lambda one: one.get("text") == "hello") is not None
        assert ann.wait_for(lambda one: one["kind"] == "never", 0.01) is None
        bob.close()
        again = Listener(run.port, "bob", bob.token)
        undo.callback(again.close)
        again.say("again")
        heard = ann.wait_for(lambda one: one.get("text") == "again")
        assert heard is not None
        assert heard > again.began


def test_names_are_claimed() -> None:
    tool("redis-server", "redis-server")
    assert claim_names(ENGINES["everysec"], 2, 20) > 0


def test_nodes_are_measured() -> None:
    tool("redis-server", "redis-server")
    with running_cluster("everysec", 2) as stage:
        report = measure(stage.target, "--clients", "4", "--senders", "2", "--count", "20")
    assert (report["servers"], report["answered"], report["errors"]) == (2, 80, {})
