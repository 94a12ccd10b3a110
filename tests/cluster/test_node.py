"""Tests for `sockctl.cluster.node`: whole nodes with their threads, on a real engine that is stopped and killed."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from sockctl.cluster.engine import Engine
from sockctl.cluster.entry import Entry, Lost, News
from sockctl.cluster.health import Away, Back
from sockctl.cluster.keys import NODES
from sockctl.cluster.node import FAILURES, Node
from sockctl.cluster.node_settings import Callbacks, NodeTimes
from sockctl.cluster.posting import Posting
from sockctl.cluster.registry import bury, register
from sockctl.errors import EngineAwayError, EngineTimeoutError, NameTakenError
from sockctl.events.base import Event
from sockctl.events.cluster import (
    NodeGone,
    NodeJoined,
    StoreAway,
    StoreBack,
    StoreConnected,
    StoreLag,
    StoreLost,
    StoreUnread,
)
from tests.support.engines import DURABLE, FORGETFUL, RedisServer, patiently, redis_server
from tests.support.running import CLOSED_PORT, TIMEOUT_S, wait_until

TIMES = NodeTimes(
    lease_s=3.0, away_after_s=1.0, refused_after_s=5.0, claim_s=20.0, reader_wait_s=0.2, longest_pause_s=0.1
)
LASTING = dataclasses.replace(TIMES, lease_s=60.0)
"""For several nodes, none of which is to be given up where a busy machine holds it up."""
PATIENT = dataclasses.replace(LASTING, refused_after_s=60.0)
"""Where nothing is to be refused, either."""


class Told:
    """What a node tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.news: list[News] = []
        self.refused: list[bytes] = []
        self.buried: list[str] = []
        self.health: list[Away | Back] = []
        self.events: list[Event] = []

    def callbacks(self) -> Callbacks:
        return Callbacks(
            on_news=self._add_news,
            on_refused=lambda some: self.refused.extend(one.data for one in some),
            on_buried=self.buried.append,
            on_health=self.health.append,
        )

    def _add_news(self, news: Sequence[News]) -> None:
        with self._lock:
            self.news += news

    def named(self, name: str) -> list[Event]:
        """Return the events of a kind."""
        return [one for one in self.events if one.name == name]

    @property
    def heard(self) -> list[bytes]:
        with self._lock:
            return [one.data for one in self.news if isinstance(one, Entry) and one.kind == "say"]


Start = Callable[..., tuple[Node, Told]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path, *DURABLE) as server:
        yield server


def make_node(server: RedisServer, name: str, callbacks: Callbacks, *, times: NodeTimes = PATIENT) -> Node:
    """Make a node; its requests have as long as the engine may be away."""
    return patiently(lambda: Node(server.access(), name, callbacks, rules={}, times=times))


@pytest.fixture
def start(server: RedisServer) -> Iterator[Start]:
    """Return a function that starts a node."""
    nodes: list[Node] = []

    def make(name: str, times: NodeTimes = PATIENT) -> tuple[Node, Told]:
        told = Told()
        node = make_node(server, name, told.callbacks(), times=times)
        nodes.append(node)
        node.start(told.events.append)
        return node, told

    yield make
    for node in nodes:
        node.stop()


def say(node: Node, *texts: bytes) -> None:
    for text in texts:
        assert node.post(Posting("say", text, room="#lobby"))


def test_two_nodes_hear_the_same(start: Start) -> None:
    (a, at_a), (b, at_b) = start("a"), start("b")
    for number in range(100):
        say((a, b)[number % 2], b"%d" % number)
    wait_until(lambda: len(at_a.heard) == len(at_b.heard) == 100, what="what was said")
    assert at_a.heard == at_b.heard
    assert [text for text in at_a.heard if int(text) % 2] == [b"%d" % number for number in range(1, 100, 2)]
    assert abs(a.clock_offset_s) < TIMEOUT_S


def test_an_engine_that_is_killed_loses_nothing(server: RedisServer, start: Start) -> None:
    (a, at_a), (b, at_b) = start("a"), start("b")
    say(a, b"before")
    wait_until(lambda: len(at_b.heard) == 1, what="the first")
    server.kill()
    say(a, b"meanwhile")
    wait_until(lambda: bool(at_a.health and at_b.health), what="that it is away")
    server.start()
    say(b, b"after")
    wait_until(lambda: len(at_a.heard) == len(at_b.heard) == 3, what="what was said")
    assert at_a.heard == at_b.heard
    assert sorted(at_a.heard) == [b"after", b"before", b"meanwhile"]
    assert not [one for one in at_a.news if isinstance(one, Lost)]
    wait_until(lambda: isinstance(at_a.health[-1], Back), what="that it is back")
    assert (at_a.refused, at_a.buried) == ([], [])


def test_what_waits_for_too_long_is_refused_exactly(server: RedisServer, start: Start) -> None:
    times = dataclasses.replace(LASTING, away_after_s=4.0)  # a busy machine may hold up the posting of the second one
    (a, at_a), (_, at_b) = start("a", times), start("b", times)
    say(a, b"before")
    wait_until(lambda: len(at_b.heard) == 1, what="the first")
    wait_until(lambda: not at_a.health or isinstance(at_a.health[-1], Back), what="that it is there")
    told = len(at_a.health)
    with server.stopped():
        say(a, b"in flight")  # the engine has this one, and no node can know
        wait_until(lambda: len(at_a.health) > told, what="that it is away")
        say(a, b"one", b"two", b"three")
        wait_until(lambda: len(at_a.refused) == 3, what="what is refused")
    wait_until(lambda: isinstance(at_a.health[-1], Back), what="that it is back")
    say(a, b"after")
    wait_until(lambda: b"after" in at_a.heard and b"after" in at_b.heard, what="what is said after")
    assert sorted(at_a.refused) == [b"one", b"three", b"two"]
    assert at_a.heard == at_b.heard == [b"before", b"in flight", b"after"]


def test_what_is_said_once_the_engine_is_gone_waits_until_it_is_refused(server: RedisServer, start: Start) -> None:
    node, told = start("a", LASTING)
    say(node, b"before")
    wait_until(lambda: told.heard == [b"before"], what="the first")
    server.kill()
    wait_until(lambda: bool(told.health), what="that it is away")
    assert node.post(Posting("say", b"late", "ann", room="#lobby", tag="late"))
    assert node.holds("ann")
    wait_until(lambda: told.refused == [b"late"], what="what is refused")
    wait_until(lambda: not node.holds("ann"), what="that nothing is open")
    assert node.post(Posting("say", b"later", "ann", room="#lobby", tag="later"))
    node.prepare_stop()
    assert told.refused == [b"late", b"later"]
    assert not node.post(Posting("say", b"too late", "ann", room="#lobby", tag="too late"))


def test_a_node_that_was_buried_comes_back(server: RedisServer, start: Start) -> None:
    node, told = start("a", TIMES)
    before = node.name

    def bury_it(engine: Engine) -> bool:
        server.ask("ZADD", NODES, 1, before)
        return bury(engine, before)  # unless its beat comes first

    with contextlib.closing(Engine(server.access())) as engine:
        wait_until(lambda: bury_it(engine), what="its burial")
    wait_until(lambda: told.buried == [before], what="that it was buried")
    assert node.name != before
    connected = [one.node for one in told.named("store_connected") if isinstance(one, StoreConnected)]
    assert connected == [before, node.name]
    wait_until(lambda: told.named("node_gone") == [NodeGone(node=before)], what="that all hear of it")
    say(node, b"again")
    wait_until(lambda: told.heard == [b"again"], what="what it says")


def test_a_node_that_dies_is_buried_by_another(server: RedisServer, start: Start) -> None:
    engine = Engine(server.access())
    dead = register(engine, "dead", rules={}, lease_s=TIMES.lease_s)
    engine.close()
    _, told = start("a", TIMES)
    wait_until(
        lambda: any(isinstance(one, Entry) and one.kind == "gone" for one in told.news), what="that the node has gone"
    )
    [gone] = [one for one in told.news if isinstance(one, Entry) and one.kind == "gone"]
    assert gone.node == dead.node


def test_a_node_that_stops_posts_what_waits(server: RedisServer, start: Start) -> None:
    _, told = start("b")
    leaving = make_node(server, "a", Told().callbacks(), times=dataclasses.replace(PATIENT, away_after_s=TIMEOUT_S))
    leaving.start(lambda _: None)
    say(leaving, *(b"%d" % number for number in range(50)))
    leaving.stop()
    wait_until(lambda: len(told.heard) == 50, what="what it has said")
    assert told.heard == [b"%d" % number for number in range(50)]


def test_a_node_without_an_engine(server: RedisServer) -> None:
    access = server.access(port=CLOSED_PORT, timeout_s=60.0)
    times = dataclasses.replace(TIMES, away_after_s=60.0)
    began = time.monotonic()
    with pytest.raises(EngineAwayError):
        Node(access, "a", Told().callbacks(), rules={}, times=times)
    assert time.monotonic() - began < 30


def test_a_claim_is_read_before_its_member_comes(start: Start) -> None:
    (a, at_a), (b, at_b) = start("a"), start("b")
    entry_id = a.claim("ann", "m1", data=b"record")
    for node, told in ((a, at_a), (b, at_b)):
        assert node.wait_until_read(entry_id, TIMEOUT_S)
        [came] = [one for one in told.news if isinstance(one, Entry) and one.kind == "came"]
        assert (came.id, came.node, came.data) == (entry_id, a.name, b"record")
    with pytest.raises(NameTakenError):
        b.claim("ann", "m2", data=b"")
    assert b.rename("eve", "m2", data=b"renamed") > entry_id
    assert not b.wait_until_read(entry_id + 1_000, 0.01)


def test_no_claim_waits_for_an_engine_that_is_away(server: RedisServer, start: Start) -> None:
    # The engine counts as away well after the first claim has waited in vain.
    a, told = start("a", dataclasses.replace(LASTING, claim_s=1.0, away_after_s=4.0))
    say(a, b"one")
    wait_until(lambda: told.heard == [b"one"], what="the first")
    with server.stopped():
        with pytest.raises(EngineTimeoutError):
            a.claim("ann", "m1", data=b"")
        wait_until(lambda: bool(told.health), what="that it is away")
        for number in range(20):
            with pytest.raises(EngineAwayError) as caught:
                a.claim("bea", f"b{number}", data=b"")
            assert not isinstance(caught.value, EngineTimeoutError), "it was not waited for"
        say(a, b"two")
        wait_until(lambda: told.refused == [b"two"], what="what is refused")
        for number in range(101):
            is_posted = a.post(Posting("say", b"more", "ann", "#lobby"))
            assert is_posted == (number < 100)
    assert a.post(Posting("went", b"", "m1"))
    wait_until(lambda: isinstance(told.health[-1], Back), what="that it is back")
    back = told.health[-1]
    assert isinstance(back, Back)
    assert told.named("store_back") == [StoreBack(seconds=round(back.seconds, 3), not_said=back.not_said)]
    assert len(told.named("store_away")) == 1
    assert back.not_said == len(told.refused) + 1  # the hundred that wait may grow too old before the engine wakes
    wait_until(lambda: any(isinstance(one, Entry) and one.kind == "went" for one in told.news), what="its end")
    patiently(lambda: a.claim("ann", "m3", data=b""))


def test_a_snapshot_and_what_is_read_after_it_are_the_whole(server: RedisServer, start: Start) -> None:
    a, at_a = start("a")
    for number in range(50):
        say(a, b"%d" % number)
    wait_until(lambda: len(at_a.heard) == 50, what="what was said")
    told = Told()
    late = make_node(server, "b", told.callbacks())
    for number in range(50, 60):
        say(a, b"%d" % number)
    wait_until(lambda: len(at_a.heard) == 60, what="what is said after")
    snapshot = late.load()
    late.start(told.events.append)
    assert late.others == [a.name]
    assert told.events[0] == StoreConnected(store=server.url, node=late.name, others=1)
    wait_until(lambda: at_a.named("node_joined") == [NodeJoined(node=late.name)], what="that all hear of it")
    wait_until(lambda: len(told.heard) == 10, what="what is said after")
    late.stop()
    kept = [one.data for one in snapshot.rooms["#lobby"]]
    assert kept + told.heard == [b"%d" % number for number in range(60)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_engine_counts_as_away_for_a_reader_that_fails(server: RedisServer) -> None:
    told = Told()

    def fail(_: Sequence[News]) -> None:
        raise RuntimeError("a flaw")

    def has_failed(count: int) -> bool:
        return len(told.named("store_unread")) >= count

    node = make_node(server, "a", dataclasses.replace(told.callbacks(), on_news=fail))
    node.start(told.events.append)
    try:
        for count in range(1, FAILURES + 1):
            say(node, b"one")
            wait_until(partial(has_failed, count), what="that it has failed")
        wait_until(lambda: is_away_for(told, "a flaw"), what="that it is away")
    finally:
        node.stop()


def is_away_for(told: Told, error: str) -> bool:
    """Return whether it was told that the engine is away for that error; a busy machine may have been the first one."""
    return any(isinstance(one, StoreAway) and error in one.error for one in told.named("store_away"))


def test_a_node_that_reads_too_slowly_is_told_of_it(server: RedisServer) -> None:
    goes_on = threading.Event()
    told = Told()

    def wait(_: Sequence[News]) -> None:
        assert goes_on.wait(TIMEOUT_S)

    callbacks = dataclasses.replace(told.callbacks(), on_news=wait)
    node = make_node(server, "a", callbacks, times=TIMES)
    node.start(told.events.append)
    say(node, b"one")
    wait_until(lambda: told.named("store_lag") != [], what="that it is behind")
    goes_on.set()
    node.stop()
    [lag] = told.named("store_lag")
    assert isinstance(lag, StoreLag)
    assert 0.5 < lag.seconds < TIMEOUT_S


def test_what_can_not_be_taken_ends_no_reader(server: RedisServer) -> None:
    told = Told()

    def take(news: Sequence[News]) -> None:
        if any(isinstance(one, Entry) and one.data == b"odd" for one in news):
            raise KeyError("m")
        told.callbacks().on_news(news)

    callbacks = dataclasses.replace(told.callbacks(), on_news=take)
    node = make_node(server, "a", callbacks, times=TIMES)
    node.start(told.events.append)
    say(node, b"odd")
    wait_until(lambda: told.named("store_unread") != [], what="that something can't be taken")
    say(node, b"one")
    wait_until(lambda: told.heard == [b"one"], what="what was said after it")
    node.stop()
    [unread] = told.named("store_unread")
    assert isinstance(unread, StoreUnread)
    assert unread.error == "KeyError: 'm'"


def test_what_an_engine_has_lost_is_told(tmp_path: Path) -> None:
    with redis_server(tmp_path, *FORGETFUL) as server:
        told = Told()
        node = make_node(server, "a", told.callbacks())
        node.start(told.events.append)
        say(node, b"one")
        wait_until(lambda: told.heard == [b"one"], what="what was said")
        [last] = [one.id for one in told.news if isinstance(one, Entry)]
        server.kill()
        server.start()
        wait_until(lambda: told.named("store_lost") == [StoreLost(after=0, upto=last)], what="the loss")
        wait_until(lambda: bool(told.buried), what="that the engine knows the node no more")
        say(node, b"two")
        wait_until(lambda: told.heard == [b"one", b"two"], what="what is said after")
        node.stop()


def test_an_engine_whose_memory_is_full_is_away(server: RedisServer, start: Start) -> None:
    a, told = start("a", dataclasses.replace(LASTING, away_after_s=4.0))  # it answers sooner, also on a busy machine
    say(a, b"one")
    wait_until(lambda: told.heard == [b"one"], what="the first")
    server.ask("CONFIG", "SET", "maxmemory", 1)
    say(a, b"two")
    wait_until(lambda: told.refused == [b"two"], what="what is refused")
    wait_until(lambda: bool(told.health), what="that it is away")
    away = told.health[-1]
    assert isinstance(away, Away)
    assert "maxmemory" in away.error
    assert away.error.endswith(f". 'sockctl cluster check {server.url}' says what to do.")
    server.ask("CONFIG", "SET", "maxmemory", 0)
    wait_until(lambda: isinstance(told.health[-1], Back), what="that it is back, though nobody says anything")
    say(a, b"three")
    wait_until(lambda: told.heard == [b"one", b"three"], what="what is said after")


def test_a_node_that_never_started_stops(server: RedisServer) -> None:
    node = make_node(server, "a", Told().callbacks())
    node.stop()
    node.stop()


def test_a_reply_that_comes_without_news_is_taken_at_once(server: RedisServer) -> None:
    """The engine refuses the claim, which makes no entry; the writer's own thread looks only in half a minute."""
    node = make_node(server, "a", Told().callbacks(), times=dataclasses.replace(PATIENT, longest_pause_s=30.0))
    try:
        node.start(lambda _: None)
        assert node.wait_until_read(node.claim("ann", "m1", data=b"{}"), 20.0)
        with pytest.raises(NameTakenError):
            node.claim("ann", "m2", data=b"{}")
    finally:
        node.stop()
