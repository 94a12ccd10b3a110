"""``sockctl connect`` with three nodes of one chat: it goes on at the next one, and nothing is lost or shown twice."""

import functools
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.bots import Bot
from tests.support.cluster_nodes import Cluster, running_cluster
from tests.support.running import TIMEOUT_S, wait_until

pytestmark = pytest.mark.usefixtures("state")

BACK_S = TIMEOUT_S
"""How soon a member must be heard again: 0.5 s on a quiet machine, and tests share theirs."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    with running_cluster(tmp_path / "cluster") as one:
        yield one


class Member:
    """A bot in the chat, that starts at one of the nodes."""

    def __init__(self, folder: Path, cluster: Cluster, name: str, first: int) -> None:
        ports = cluster.ports[first:] + cluster.ports[:first]
        (folder / name).mkdir()
        self.name = name
        targets = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.bot = Bot(folder / name, "--json", "--user", name, f"sockctl://{targets}")
        self._said = 0

    def wait_until_in(self) -> None:
        """Wait until a node has let it in."""
        self.bot.wait_for('"kind": "welcome"')

    def say(self) -> str:
        """Say something new; return it."""
        self._said += 1
        text = f"{self.name} {self._said}"
        self.bot.say(text)
        return text

    def heard(self) -> list[str]:
        """Return what was said in the room, in the order in which it was shown."""
        lines = self.bot.output.read_text().splitlines()
        messages = [json.loads(line) for line in lines if line.endswith("}")]
        return [one["text"] for one in messages if one["kind"] in {"say", "history"}]

    def told(self, text: str) -> list[str]:
        """Return the lines that it was told with that text."""
        return [line for line in self.bot.errors.read_text().splitlines() if text in line]


@pytest.fixture
def members(tmp_path: Path, cluster: Cluster) -> Iterator[list[Member]]:
    started: list[Member] = []
    try:
        for first, name in enumerate(("ann", "bob", "cem")):
            started.append(Member(tmp_path, cluster, name, first))
            started[-1].wait_until_in()
        yield started
    finally:
        for one in started:
            one.bot.kill()


def hear(members: list[Member], *texts: str) -> None:
    """Wait until all members have heard the texts."""
    for one in members:
        wait_until(functools.partial(has_heard, one, set(texts)), what=f"that {one.name} has heard {texts}")


def hear_what_was_not_lost(members: list[Member], said: list[str]) -> None:
    """Wait until all members have heard what was said, but for what a member is told that may not have arrived."""

    def is_all_there() -> bool:
        lost = {line.rpartition(": ")[2] for one in members for line in one.told("This may not have arrived")}
        return all(has_heard(one, set(said) - lost) for one in members)

    wait_until(is_all_there, what="that all have heard what was said")


def has_heard(member: Member, texts: set[str]) -> bool:
    return texts <= set(member.heard())


def check(members: list[Member]) -> None:
    """Check that all members were shown the same, each message once."""
    shown = [one.heard() for one in members]
    common = [[text for text in each if all(text in other for other in shown)] for each in shown]
    assert common[0] == common[1] == common[2], "one order"
    assert all(len(each) == len(set(each)) for each in shown), "nothing twice"
    assert not any('"kind": "left"' in one.bot.output.read_text() for one in members)


def test_a_killed_node(cluster: Cluster, members: list[Member]) -> None:
    ann = members[0]
    hear(members, *(one.say() for one in members))
    cluster.nodes[0].kill()
    killed = time.monotonic()
    hear(members, *(one.say() for one in members))
    assert time.monotonic() - killed < BACK_S
    # The next one, or the one after it where that is too busy.
    assert any(ann.told(f"The client is at 127.0.0.1:{port} now; before, it was at") for port in cluster.ports[1:])
    check(members)
    assert [one.bot.end() for one in members] == [ExitCode.DONE] * 3


def test_a_rolling_restart_under_talk(cluster: Cluster, members: list[Member]) -> None:
    said: list[str] = []
    for node in cluster.nodes:
        said += [one.say() for one in members for _ in range(5)]
        node.send(signal.SIGTERM)
        said += [one.say() for one in members for _ in range(5)]
        node.terminate()
        node.start()
        said += [one.say() for one in members]
        hear_what_was_not_lost(members, said)
    check(members)
    for one in members:
        assert len(one.told("(the server is stopping)")) >= 1


@pytest.mark.slow
def test_an_engine_that_is_away(cluster: Cluster, members: list[Member]) -> None:
    """The nodes close their connections after 30 s, and let nobody in until the engine is back."""
    hear(members, *(one.say() for one in members))
    with cluster.engine.stopped():
        wait_until(lambda: all(one.told("can't reach the engine") for one in members), timeout_s=3 * TIMEOUT_S)
    hear(members, *(one.say() for one in members))
    check(members)
