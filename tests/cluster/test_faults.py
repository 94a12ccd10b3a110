"""Three nodes talk while their engine is killed and stopped, and they are buried; then their histories are checked."""

import contextlib
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from sockctl.cluster.engine import Engine
from sockctl.cluster.entry import Entry, Lost, News
from sockctl.cluster.keys import NODES
from sockctl.cluster.node import Node
from sockctl.cluster.node_settings import Callbacks, NodeTimes
from sockctl.cluster.posting import Posting
from sockctl.cluster.registry import bury
from tests.support.engines import DURABLE, FORGETFUL, RedisServer, patiently, redis_server
from tests.support.running import wait_until

SECONDS = 6.0
TIMES = NodeTimes(lease_s=3.0, away_after_s=0.5, refused_after_s=1.5, reader_wait_s=0.3, longest_pause_s=0.2)
SETTINGS = {"always": DURABLE, "none": FORGETFUL}


class Talker:
    """A node with members that never stop talking."""

    def __init__(self, server: RedisServer, number: int) -> None:
        self.number = number
        self.said: list[bytes] = []
        self.refused: list[bytes] = []
        self.news: list[News] = []
        self.stopping = threading.Event()
        callbacks = Callbacks(
            on_news=self._hear,
            on_refused=self._refuse,
            on_buried=lambda _: None,
            on_health=lambda _: None,
        )
        access = server.access(timeout_s=0.5)
        self.node = patiently(lambda: Node(access, f"n{number}", callbacks, rules={}, times=TIMES))
        self.node.start(lambda _: None)
        self.thread = threading.Thread(target=self._talk)

    def _hear(self, news: Sequence[News]) -> None:
        self.news += news

    def _refuse(self, some: Sequence[Posting]) -> None:
        self.refused += [one.data for one in some]

    def _talk(self) -> None:
        while not self.stopping.wait(0.01):
            data = b"%d.%d" % (self.number, len(self.said))
            self.said.append(data)
            if not self.node.post(Posting("say", data, room="#lobby")):
                self.refused.append(data)

    @property
    def last_word(self) -> bytes:
        """What it has said last, but for what was refused: a busy machine may hold up any word for too long."""
        refused = {*self.refused}
        return next(data for data in reversed(self.said) if data not in refused)

    @property
    def entries(self) -> list[Entry]:
        return [one for one in list(self.news) if isinstance(one, Entry)]

    @property
    def heard(self) -> list[bytes]:
        return [one.data for one in self.entries if one.kind == "say"]


def break_something(server: RedisServer, talkers: Sequence[Talker], chance: random.Random) -> None:
    match chance.choice(["kill", "stop", "bury"]):
        case "kill":
            server.kill()
            time.sleep(chance.uniform(0, 1))
            server.start()
        case "stop":
            with server.stopped():
                time.sleep(chance.uniform(0.2, 3))
        case _:
            node = chance.choice(talkers).node.name
            server.ask("ZADD", NODES, "XX", 1, node)
            with contextlib.closing(Engine(server.access())) as engine:
                bury(engine, node)


def check(talkers: Sequence[Talker]) -> None:
    """Check one order, nothing twice, and that each message is heard or refused, or told as lost."""
    by_id: dict[int, Entry] = {}
    lost = [one for each in talkers for one in each.news if isinstance(one, Lost)]
    heard_by_any = {data for each in talkers for data in each.heard}
    for each in talkers:
        ids = [one.id for one in each.entries]
        assert ids == sorted(set(ids)), "ids grow"
        assert all(by_id.setdefault(one.id, one) == one for one in each.entries), "an id means the same everywhere"
        assert len(each.heard) == len(set(each.heard)), "nothing is heard twice"
        for other in talkers:
            numbers = [int(data[2:]) for data in each.heard if data.startswith(b"%d." % other.number)]
            assert numbers == sorted(numbers), "a sender's own order"
        if not lost:
            assert not heard_by_any.intersection(each.refused), "what is refused was not said"
            assert set(each.heard) == heard_by_any, "all hear the same"
            assert set(each.said) == heard_by_any.intersection(each.said).union(each.refused), "nothing vanishes"


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("seed", [1, 2])
def test_nodes_agree_whatever_breaks(seed: int, setting: str, tmp_path: Path) -> None:
    chance = random.Random(seed)
    with redis_server(tmp_path, *SETTINGS[setting]) as server:
        talkers = [Talker(server, number) for number in range(3)]
        for each in talkers:  # all are there now, and hear all
            each.thread.start()
        try:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                time.sleep(chance.uniform(0.3, 1))
                break_something(server, talkers, chance)
            spoken = [len(each.said) for each in talkers]
            wait_until(
                lambda: all(
                    any(data in each.heard for data in each.said[begun:])
                    for each, begun in zip(talkers, spoken, strict=True)
                ),
                what="that all speak again",
            )
        finally:
            for each in talkers:
                each.stopping.set()
                each.thread.join()
        try:
            wait_until(
                lambda: all(each.last_word in other.heard for each in talkers for other in talkers), what="the end"
            )
        finally:
            for each in talkers:
                each.node.stop()
        check(talkers)
