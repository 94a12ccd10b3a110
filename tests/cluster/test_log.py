"""Tests for the log of the cluster: `functions.lua`, `writer`, `reader`, `registry`, with a real engine."""

import contextlib
import dataclasses
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_rights import list_rights
from sockctl.cluster.entry import Entry, Lost, Missed, News
from sockctl.cluster.functions import call_function
from sockctl.cluster.keys import LOG, META, NAMES, NODES, posted_key, room_key
from sockctl.cluster.outbox import Outbox, OutboxLimits, Posting
from sockctl.cluster.reader import Listener, Reader
from sockctl.cluster.registry import Registration, beat, bury, claim_name, register, release_name, retire
from sockctl.cluster.writer import LogLimits, Writer
from sockctl.errors import EngineError, EngineReplyError, NameTakenError
from sockctl.protocol.look_alikes import compute_skeletons
from tests.support.engines import DURABLE, RedisServer, redis_server
from tests.support.wrong_servers import serving

ROOM = "#lobby"
LEASE_S = 10.0


class Node:
    """A node without threads: a test moves it step by step."""

    def __init__(self, access: EngineAccess, name: str = "a", *, limits: LogLimits | None = None) -> None:
        self.engine = Engine(access)
        self.place: Registration = register(self.engine, name, lease_s=LEASE_S)
        self.reader = Reader(self.place.last_id)
        self.outbox = Outbox()
        self.refused: list[bytes] = []
        self.writer = Writer(
            self.engine,
            self.place.node,
            self.outbox,
            self.reader,
            on_refused=lambda some: self.refused.extend(one.data for one in some),
            limits=limits or LogLimits(),
        )

    def say(self, *texts: str, lines: int = 1) -> None:
        for text in texts:
            assert self.outbox.add(Posting("ann", "say", text.encode(), ROOM, lines))

    def write(self) -> int:
        return self.writer.write()

    def read(self) -> list[News]:
        return self.reader.read(self.engine, wait_ms=0)

    def hear(self) -> list[str]:
        """Read, and return what was said."""
        return [one.data.decode() for one in self.read() if isinstance(one, Entry) and one.kind == "say"]

    def beat(self) -> list[str]:
        return beat(self.engine, self.place.node, lease_s=LEASE_S, highest_id=self.reader.last_id).expired


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path, *DURABLE) as server:
        yield server


@pytest.fixture
def join(server: RedisServer) -> Iterator[Callable[..., Node]]:
    """Return a function that makes a node of the engine."""
    with contextlib.ExitStack() as stack:

        def make(name: str = "a", *, access: EngineAccess | None = None, limits: LogLimits | None = None) -> Node:
            node = Node(access or server.access(), name, limits=limits)
            stack.callback(node.engine.close)
            return node

        yield make


def expire(server: RedisServer, node: Node) -> None:
    """Let a node's lease be over, as if it had been silent for long while others were not."""
    server.ask("ZADD", NODES, 1, node.place.node)


# One order, each once.


def test_all_nodes_read_the_same(join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    a.say("one", "two")
    b.say("three")
    assert (a.write(), b.write(), a.write()) == (2, 1, 0)
    read = a.read()
    assert read == b.read()
    ids = [one.id for one in read if isinstance(one, Entry)]
    assert ids == list(range(a.place.last_id + 1, a.place.last_id + 4))
    assert [one.data for one in read if isinstance(one, Entry)] == [b"one", b"two", b"three"]
    assert {one.room for one in read if isinstance(one, Entry)} == {ROOM}


def test_an_entry_without_a_room(server: RedisServer, join: Callable[..., Node]) -> None:
    a = join()
    assert a.outbox.add(Posting("ann", "tell", "für dich".encode()))
    a.write()
    [entry] = a.read()
    assert entry == Entry(a.place.last_id + 1, "tell", a.place.node, 1, "", "für dich".encode())
    assert server.ask("KEYS", room_key("*")) == []


def test_ids_are_numbers_that_json_keeps(join: Callable[..., Node]) -> None:
    assert 1e15 < join().place.last_id < 2**53


def test_a_block_takes_an_id_for_each_line(server: RedisServer, join: Callable[..., Node]) -> None:
    a = join()
    a.say("block", lines=3)
    a.say("after")
    a.say("more", lines=2)
    a.write()
    read = a.read()
    assert [(one.id - a.place.last_id, one.lines) for one in read if isinstance(one, Entry)] == [(3, 3), (4, 1), (6, 2)]
    assert len(server.ask("XRANGE", room_key(ROOM), "-", "+")) == 3


class Cutter:
    """A proxy that lets requests through and keeps their replies, when it is told to."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cuts = threading.Event()

    def handle(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as engine:
            while request := client.recv(65_536):
                engine.sendall(request)
                reply = engine.recv(65_536)
                if self.cuts.is_set():
                    return
                client.sendall(reply)


def test_a_reply_that_is_lost_after_its_request_was_done(server: RedisServer, join: Callable[..., Node]) -> None:
    cutter = Cutter(server.port)
    with serving(cutter.handle) as port:
        a = join(access=dataclasses.replace(server.access(), host="127.0.0.1", port=port))
        a.say("zero")
        a.write()
        cutter.cuts.set()
        a.say("one", "two")
        with pytest.raises(EngineError):
            a.write()
        cutter.cuts.clear()
        a.say("three")
        assert a.write() == 1  # hello has said that two of the three were done
        assert a.hear() == ["zero", "one", "two", "three"]
        a.engine.close()


def test_a_request_that_wakes_up_after_hello_is_stale(server: RedisServer, join: Callable[..., Node]) -> None:
    """A stopped engine still has the request of the connection before, and may serve it after the next one's hello."""
    a = join()
    a.say("one")
    a.write()
    keys = (META, LOG, NODES, posted_key(a.place.node))
    with contextlib.closing(Engine(server.access())) as other:
        assert call_function(other, "hello", keys, a.place.node, 0) == [1, b"2", b"1"]
        late = (a.place.node, "1", 2, 100, 100, 1, "say", 1, b"late")
        with pytest.raises(EngineReplyError) as caught:
            call_function(other, "post", (*keys, room_key(ROOM)), *late)
    assert caught.value.code == "STALE"
    a.say("two")
    assert (a.write(), a.write()) == (0, 1)  # it says hello, too
    assert a.hear() == ["one", "two"]


def test_a_stopped_engine_carries_out_nothing_twice(server: RedisServer, join: Callable[..., Node]) -> None:
    a = join(access=dataclasses.replace(server.access(), timeout_s=0.3))
    a.say("zero")
    a.write()
    os.kill(server.pid, signal.SIGSTOP)
    try:
        a.say("one", "two")
        for _ in range(2):
            with pytest.raises(EngineError):
                a.write()
    finally:
        os.kill(server.pid, signal.SIGCONT)
    while a.write():
        pass
    a.say("three")
    a.write()
    assert a.hear() == ["zero", "one", "two", "three"]
    assert a.refused == []


# A reader that is behind.


def test_a_client_that_has_heard_more_than_its_node_hears_nothing_twice(join: Callable[..., Node]) -> None:
    a, behind = join("a"), join("b")
    a.say("one", "two", "three")
    a.write()
    seen = [one.id for one in a.read() if isinstance(one, Entry)][1]
    client = Listener(after=seen)  # it has heard two of them at the node a, and comes to one that has read none
    a.say("four")
    a.write()
    news = behind.read()
    heard = [*client.select_unheard(news[:1]), *client.select_unheard(news[1:])]
    assert [one.data for one in heard if isinstance(one, Entry)] == [b"three", b"four"]


def test_what_the_log_has_no_more_is_told(join: Callable[..., Node]) -> None:
    a, behind = join("a", limits=LogLimits(log=1)), join("b")
    for _ in range(5):
        a.say(*map(str, range(100)))
        a.write()
    news = behind.read()
    assert isinstance(news[0], Missed)
    assert isinstance(news[1], Entry)
    assert (news[0].previous, news[0].before) == (behind.place.last_id, news[1].id)
    assert not [one for one in news[1:] if not isinstance(one, Entry)]


# The engine dies.


def test_nothing_acknowledged_is_lost(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    acknowledged: list[str] = []
    for turn in range(3):
        texts = [f"{turn}.{number}" for number in range(200)]
        a.say(*texts[:100])
        a.write()
        acknowledged += texts[:100]
        server.kill()
        a.say(*texts[100:])
        with pytest.raises(EngineError):
            a.write()
        server.start()
        while a.write():
            pass
        acknowledged += texts[100:]
    with pytest.raises(EngineError):
        b.read()  # its connection is that of a dead process
    told: list[News] = []
    while news := b.read():
        told += news
    assert [one.data.decode() for one in told if isinstance(one, Entry) and one.kind == "say"] == acknowledged
    assert not [one for one in told if isinstance(one, Lost)]
    ids = [one.id for one in told if isinstance(one, Entry)]
    assert ids == sorted(set(ids))
    assert a.refused == []


def test_an_engine_that_has_lost_all_gives_no_id_twice(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--appendonly", "no") as server:
        before = Node(server.access())
        before.say("one", "two")
        before.write()
        heard = [one.id for one in before.read() if isinstance(one, Entry)]
        server.kill()
        server.start()
        before.say("three")
        with pytest.raises(EngineError):
            before.write()
        assert before.write() == 0
        assert before.writer.is_buried  # the engine knows it no more
        assert before.refused == [b"three"]
        after = register(before.engine, "a", highest_id=before.reader.last_id)
        assert after.last_id > heard[-1]
        assert before.read()[0] == Lost(0, heard[-1])
        before.engine.close()


def test_a_node_that_has_read_more_than_there_is_begins_an_epoch(join: Callable[..., Node]) -> None:
    """The engine's clock was set back, or a replica leads that is behind."""
    a = join()
    ahead = a.place.last_id + 10**12
    register(a.engine, "b", highest_id=ahead)
    [epoch] = a.read()
    assert isinstance(epoch, Entry)
    assert (epoch.kind, epoch.id > ahead, epoch.previous) == ("epoch", True, a.place.last_id)


def test_a_posting_that_was_read_is_not_posted_again(server: RedisServer, join: Callable[..., Node]) -> None:
    """The engine has lost it, after this node had read it, and before it had the reply."""
    cutter = Cutter(server.port)
    with serving(cutter.handle) as port, contextlib.closing(Engine(server.access())) as direct:
        a = join(access=dataclasses.replace(server.access(), host="127.0.0.1", port=port))
        a.say("one")
        a.write()
        cutter.cuts.set()
        a.say("two")
        with pytest.raises(EngineError):
            a.write()
        cutter.cuts.clear()
        assert len(a.reader.read(direct, wait_ms=0)) == 2
        server.ask("HSET", posted_key(a.place.node), "sequence", 1)
        a.say("three")
        a.write()
        assert [one.data for one in a.reader.read(direct, wait_ms=0) if isinstance(one, Entry)] == [b"three"]
        a.engine.close()


def test_a_posting_that_comes_twice_is_told_once() -> None:
    """Another node has read it before the engine lost it; its own node has not, and posts it again."""
    reader = Reader(4)
    one = Entry(5, "say", "a.1", 7, "#lobby", b"one")
    assert reader.take([one]) == [one]
    epoch = Entry(90, "epoch", previous=4)
    assert reader.take([epoch, one._replace(id=91)]) == [Lost(4, 5), epoch]
    assert reader.last_id == 91
    reader.forget("a.1")
    assert reader.find_sequence("a.1") == 0


# Leases.


def test_an_expired_node_is_buried_once_and_posts_no_more(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b, c = join("a"), join("b"), join("c")
    a.say("before")
    a.write()
    claim_name(a.engine, a.place.node, "ann", member="m1")
    expire(server, a)
    assert b.beat() == [a.place.node]
    assert [bury(one.engine, a.place.node) for one in (b, c)] == [True, False]
    gone = [one for one in b.read() if isinstance(one, Entry) and one.kind == "gone"]
    assert [one.node for one in gone] == [a.place.node]
    a.say("after")
    assert a.write() == 0
    assert (a.writer.is_buried, a.refused) == (True, [b"after"])
    with pytest.raises(EngineReplyError) as caught:
        a.beat()
    assert caught.value.code == "BURIED"
    claim_name(b.engine, b.place.node, "ann", member="m2")
    assert [text for text in b.hear() + c.hear() if text == "after"] == []


def test_a_node_that_was_only_slow_stays(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    expire(server, a)
    a.beat()
    assert not bury(b.engine, a.place.node)
    assert b.beat() == []


def test_nobody_is_buried_for_an_engine_that_stood_still(server: RedisServer, join: Callable[..., Node]) -> None:
    """The first node that beats again would find all others silent."""
    a, b = join("a"), join("b")
    expire(server, b)
    server.ask("HINCRBY", META, "beat", -int(LEASE_S * 1e6))
    assert a.beat() == []
    assert not bury(a.engine, b.place.node)


def test_nobody_is_buried_for_an_engine_that_was_away(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    expire(server, b)
    server.kill()
    server.start()
    with pytest.raises(EngineError):
        a.beat()
    assert a.beat() == []
    assert not bury(a.engine, b.place.node)


def test_a_node_that_retires_leaves_soon(join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    retire(a.engine, a.place.node, lease_s=0)
    assert b.beat() == [a.place.node]
    assert bury(b.engine, a.place.node)
    retire(a.engine, a.place.node, lease_s=60)  # one that was buried doesn't come back so
    with pytest.raises(EngineReplyError):
        a.beat()


def test_a_user_with_the_rights_of_a_chat_runs_every_function(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "chat", "on", ">grey walnut", *list_rights())
    a, b = (Node(server.access("chat", "grey walnut"), name) for name in "ab")
    a.say("one")
    a.say("two", lines=2)
    a.write()
    claim_name(a.engine, a.place.node, "ann", member="m1", skeletons=["ann"])
    claim_name(a.engine, a.place.node, "bob", member="m2", skeletons=["bob"])
    release_name(a.engine, a.place.node, "ann", member="m1")
    a.hear()
    retire(a.engine, a.place.node, lease_s=0)
    assert b.beat() == [a.place.node]
    assert bury(b.engine, a.place.node)
    for node in (a, b):
        node.engine.close()


# Names.


def test_a_name_has_one_holder(join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    claim_name(a.engine, a.place.node, "ann", member="m1")
    claim_name(a.engine, a.place.node, "ann", member="m1")
    with pytest.raises(NameTakenError, match="'ann' is taken"):
        claim_name(b.engine, b.place.node, "ann", member="m2")
    claim_name(b.engine, b.place.node, "ann", member="m1")  # the same member, which has moved
    assert not release_name(a.engine, a.place.node, "ann", member="m2")
    assert release_name(b.engine, b.place.node, "ann", member="m1")
    claim_name(a.engine, a.place.node, "ann", member="m2")


def test_names_that_look_alike(join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")

    def claim(node: Node, key: str, member: str) -> None:
        claim_name(node.engine, node.place.node, key, member=member, skeletons=compute_skeletons(key))

    claim(a, "pop", "m1")
    with pytest.raises(NameTakenError, match="looks like pop, which is taken"):
        claim(b, "рор", "m2")  # in Cyrillic
    claim(b, "modern", "m3")
    claim(a, "modem", "m4")  # two names in ASCII are never compared
    assert release_name(a.engine, a.place.node, "pop", member="m1")
    claim(b, "рор", "m2")
    with pytest.raises(NameTakenError, match="looks like"):
        claim(a, "pop", "m1")


def test_two_nodes_that_claim_the_same_names_at_once(server: RedisServer, join: Callable[..., Node]) -> None:
    nodes = [join("a"), join("b")]
    won: dict[str, list[str]] = {"a": [], "b": []}

    def claim_all(node: Node, name: str) -> None:
        for number in range(500):
            with contextlib.suppress(NameTakenError):
                claim_name(node.engine, node.place.node, f"n{number}", member=name)
                won[name].append(f"n{number}")

    threads = [threading.Thread(target=claim_all, args=(node, name)) for node, name in zip(nodes, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won["a"]) + len(won["b"]) == 500
    assert set(won["a"]).isdisjoint(won["b"])
    assert server.ask("HLEN", NAMES) == 500


# The queue.


def test_the_queue_is_bounded() -> None:
    outbox = Outbox(OutboxLimits(messages=3, size_bytes=10, of_member=2))

    def add(member: str, text: str, at: float = 0.0) -> bool:
        return outbox.add(Posting(member, "say", text.encode(), at=at))

    assert [add("ann", "a"), add("ann", "b", 1.0), add("ann", "c")] == [True, True, False]
    assert [add("bob", "123456789"), add("bob", "d", 2.0), add("cem", "e")] == [False, True, False]
    assert [one.data for one in outbox.take_older(2.0)] == [b"a", b"b"]
    assert outbox.filled.is_set()
    assert [one.data for one in outbox.take(5)] == [b"d"]
    assert not outbox.filled.is_set()
    assert [add("ann", "x"), add("ann", "123456789")] == [True, True]
