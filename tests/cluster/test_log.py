"""Tests for the log of the cluster: `functions.lua`, `writer`, `reader`, `registry`, with a real engine."""

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_rights import list_rights
from sockctl.cluster.entry import Entry, Lost, Missed, News
from sockctl.cluster.functions import call_function
from sockctl.cluster.keys import LOG, LOOKS, META, NAMES, NODES, ROOMS, STATE, here_key, posted_key, room_key
from sockctl.cluster.outbox import Outbox, OutboxLimits
from sockctl.cluster.posting import Claim, Posting
from sockctl.cluster.reader import Reader
from sockctl.cluster.registry import Registration, beat, bury, register, retire
from sockctl.cluster.snapshot import Kept, load
from sockctl.cluster.writer import MAX_LOG, SHORT_BYTES, Writer
from sockctl.errors import (
    EngineAwayError,
    EngineError,
    EngineReplyError,
    NameTakenError,
    NoChatError,
    RulesDifferError,
)
from sockctl.protocol.look_alikes import compute_skeletons
from tests.support.engines import DURABLE, FORGETFUL, RedisServer, patiently, redis_server
from tests.support.running import wait_until
from tests.support.wrong_servers import serving

ROOM = "#lobby"
LEASE_S = 10.0


class Node:
    """A node without threads: a test moves it step by step."""

    def __init__(
        self, access: EngineAccess, name: str = "a", *, max_log: int = MAX_LOG, timeout_s: float | None = None
    ) -> None:
        self.engine = Engine(access)
        self.place: Registration = register(self.engine, name, rules={}, lease_s=LEASE_S)
        if timeout_s is not None:
            self.engine.close()
            self.engine = Engine(dataclasses.replace(access, timeout_s=timeout_s))
        self.reader = Reader(self.place.last_id)
        self.outbox = Outbox()
        self.refused: list[bytes] = []
        self.writer = Writer(
            self.engine,
            self.place.node,
            self.outbox,
            self.reader,
            on_refused=lambda some: self.refused.extend(one.data for one in some),
            max_log=max_log,
        )

    def say(self, *texts: str, lines: int = 1) -> None:
        for text in texts:
            self.post("say", text.encode(), room=ROOM, lines=lines)

    def post(self, kind: str, data: bytes = b"", **more: Any) -> None:
        assert self.outbox.add(Posting(kind, data, **more))

    def claim(self, key: str, member: str, *, kind: str = "came", alone: bool = False, again: bool = False) -> int:
        """Claim a name, and return the id of the entry."""
        claim = Claim(key, compute_skeletons(key), alone, again)
        self.post(kind, key.encode(), member=member, claim=claim)
        while self.write():
            pass
        return claim.answer.result(timeout=0)

    def write(self) -> int:
        return self.writer.write()

    def read_all(self) -> list[News]:
        return self.reader.read(self.engine, wait_ms=0)

    def read(self) -> list[News]:
        """Read, and return all but the registrations of nodes."""
        return [one for one in self.read_all() if not isinstance(one, Entry) or one.kind != "node"]

    def hear(self) -> list[str]:
        """Read, and return what was said."""
        return [one.data.decode() for one in self.read() if isinstance(one, Entry) and one.kind == "say"]

    def see(self) -> list[tuple[str, str, bytes]]:
        """Read, and return the kind, node and data of each entry."""
        return [(one.kind, one.node, one.data) for one in self.read_all() if isinstance(one, Entry)]

    def beat(self) -> list[str]:
        return beat(self.engine, self.place.node, read=self.reader.last_id, lease_s=LEASE_S).expired


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path, *DURABLE) as server:
        yield server


@pytest.fixture
def join(server: RedisServer) -> Iterator[Callable[..., Node]]:
    """Return a function that makes a node of the engine."""
    with contextlib.ExitStack() as stack:

        def make(name: str = "a", *, access: EngineAccess | None = None, **more: Any) -> Node:
            node = Node(access or server.access(), name, **more)
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
    assert ids == list(range(b.place.last_id + 1, b.place.last_id + 4))
    assert [one.data for one in read if isinstance(one, Entry)] == [b"one", b"two", b"three"]
    assert {one.room for one in read if isinstance(one, Entry)} == {ROOM}


def test_an_entry_without_a_room(server: RedisServer, join: Callable[..., Node]) -> None:
    a = join()
    a.post("tell", "für dich".encode())
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

    def write(self, node: Node) -> None:
        """Let a node write, and lose the reply."""
        self.cuts.set()
        with pytest.raises(EngineError):
            node.write()
        self.cuts.clear()


@pytest.fixture
def cutter(server: RedisServer) -> Cutter:
    return Cutter(server.port)


@pytest.fixture
def behind_cutter(server: RedisServer, cutter: Cutter, join: Callable[..., Node]) -> Iterator[Node]:
    """Return a node whose requests to the engine go through a cutter, and work."""
    with serving(cutter.handle) as port:
        node = join(access=dataclasses.replace(server.access(), host="127.0.0.1", port=port))
        node.say("zero")
        node.write()
        yield node
        node.engine.close()


def test_a_reply_that_is_lost_after_its_request_was_done(cutter: Cutter, behind_cutter: Node) -> None:
    a = behind_cutter
    a.say("one", "two")
    cutter.write(a)
    a.say("three")
    assert a.write() == 1  # hello has said that two of the three were done
    assert a.hear() == ["zero", "one", "two", "three"]


def test_a_lost_reply_and_then_an_engine_that_refuses_hello(
    server: RedisServer, cutter: Cutter, behind_cutter: Node
) -> None:
    """What is in flight may have been said: that the engine refuses hello says nothing of it."""
    a = behind_cutter
    a.say("one", "two")
    cutter.write(a)
    server.ask("CONFIG", "SET", "maxmemory", 1)
    with pytest.raises(EngineError):
        a.write()
    assert a.outbox.length == 0
    server.ask("CONFIG", "SET", "maxmemory", 0)
    a.say("three")
    assert a.write() == 1
    assert a.hear() == ["zero", "one", "two", "three"]


def test_a_request_that_wakes_up_after_hello_is_stale(server: RedisServer, join: Callable[..., Node]) -> None:
    """A stopped engine still has the request of the connection before, and may serve it after the next one's hello."""
    a = join()
    a.say("one")
    a.write()
    keys = (META, LOG, NODES, posted_key(a.place.node))
    with contextlib.closing(Engine(server.access())) as other:
        assert call_function(other, "hello", keys, a.place.node, 0) == [1, b"2", b"1"]
        late = (a.place.node, "1", 2, 100, 100, 0, "typing", 1, b"late")
        with pytest.raises(EngineReplyError) as caught:
            call_function(other, "post", (*keys, NAMES, LOOKS, ROOMS, STATE), *late)
    assert caught.value.code == "STALE"
    a.say("two")
    assert (a.write(), a.write()) == (0, 1)  # it says hello, too
    assert a.hear() == ["one", "two"]


def test_a_stopped_engine_carries_out_nothing_twice(server: RedisServer, join: Callable[..., Node]) -> None:
    a = join(timeout_s=0.3)
    a.say("zero")
    write_all(a)
    with server.stopped():
        a.say("one", "two")
        for _ in range(2):
            with pytest.raises(EngineError):
                a.write()
    write_all(a)
    a.say("three")
    write_all(a)
    assert patiently(a.hear) == ["zero", "one", "two", "three"]
    assert a.refused == []


def write_all(node: Node) -> None:
    """Write until nothing waits, though the engine may answer too late."""
    while patiently(node.write) or node.outbox.length:
        pass


@pytest.mark.parametrize("setting", [("maxmemory", 1, 0), ("min-replicas-to-write", 1, 0)])
def test_what_an_engine_refuses_waits_and_can_be_refused(
    setting: tuple[str, int, int], server: RedisServer, join: Callable[..., Node]
) -> None:
    a = join()
    a.say("zero")
    a.write()
    name, wrong, right = setting
    server.ask("CONFIG", "SET", name, wrong)
    a.say("one", "two")
    for _ in range(2):
        with pytest.raises(EngineReplyError):
            a.write()
    assert [one.data for one in take_older(a.outbox, float("inf"))] == [b"one", b"two"]
    a.say("three")
    with pytest.raises(EngineReplyError):
        a.write()
    server.ask("CONFIG", "SET", name, right)
    a.write()
    assert a.hear() == ["zero", "three"]


# A reader that is behind.


def test_what_the_log_has_no_more_is_told(join: Callable[..., Node]) -> None:
    a, behind = join("a", max_log=1), join("b")
    for _ in range(5):
        a.say(*map(str, range(100)))
        a.write()
    news = behind.read()
    assert isinstance(news[0], Missed)
    assert isinstance(news[1], Entry)
    assert (news[0].previous, news[0].before) == (behind.place.last_id, news[1].id)
    assert not [one for one in news[1:] if not isinstance(one, Entry)]


# Entries that no node of this version has posted.


@pytest.mark.parametrize(
    "words",
    [
        ("x", "y"),
        ("k", b"\xff", "n", "a"),
        ("k", "epoch", "p", "soon"),
        ("k", "say", "n", "a", "s", "first", "r", ROOM, "l", 1, "d", "text"),
        ("k", "say", "n", "a", "s", 1, "r", ROOM, "l", b"\xff", "d", "text"),
        ("d", "text", "k", "say", "n", "a", "s", 1, "r", ROOM, "l", 1),
    ],
)
def test_an_entry_that_can_not_be_read_stops_no_reader(
    join: Callable[..., Node], words: tuple[str | bytes | int, ...]
) -> None:
    a = join("a")
    a.say("one")
    a.write()
    a.engine.ask("XADD", LOG, "0-*", *words)
    a.say("two")
    a.write()
    news = [one for one in a.read() if isinstance(one, Entry)]
    assert [one.data for one in news if one.kind == "say"] == [b"one", b"two"]
    assert not [one for one in a.read() if isinstance(one, Missed)]


def test_a_log_with_an_id_of_another_form_can_not_be_used(server: RedisServer, join: Callable[..., Node]) -> None:
    a = join("a")
    server.ask("XADD", LOG, "1526919030474-55", "k", "say")
    with pytest.raises(NoChatError, match="1526919030474-55"):
        a.read()


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
    with redis_server(tmp_path, *FORGETFUL) as server:
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
        after = register(before.engine, "a", rules={}, lease_s=LEASE_S, highest_id=before.reader.last_id)
        assert after.last_id > heard[-1]
        assert before.read()[0] == Lost(0, heard[-1])
        before.engine.close()


def test_a_node_that_has_read_more_than_there_is_begins_an_epoch(join: Callable[..., Node]) -> None:
    """The engine's clock was set back, or a replica leads that is behind."""
    a = join()
    ahead = a.place.last_id + 10**12
    register(a.engine, "b", rules={}, lease_s=LEASE_S, highest_id=ahead)
    [epoch] = a.read()
    assert isinstance(epoch, Entry)
    assert (epoch.kind, epoch.id > ahead, epoch.previous) == ("epoch", True, a.place.last_id)


def test_a_posting_that_was_read_is_not_posted_again(server: RedisServer, cutter: Cutter, behind_cutter: Node) -> None:
    """The engine has lost it, after this node had read it, and before it had the reply."""
    a = behind_cutter
    with contextlib.closing(Engine(server.access())) as direct:
        a.say("two")
        cutter.write(a)
        assert len(a.reader.read(direct, wait_ms=0)) == 2
        server.ask("HSET", posted_key(a.place.node), "sequence", 1)
        a.say("three")
        a.write()
        assert [one.data for one in a.reader.read(direct, wait_ms=0) if isinstance(one, Entry)] == [b"three"]


def test_a_posting_that_comes_twice_is_told_once() -> None:
    """Another node has read it before the engine lost it; its own node has not, and posts it again."""
    reader = Reader(4)
    one = Entry(5, "say", "a.1", 7, "#lobby", b"one")
    assert reader.take([one]) == [one]
    epoch = Entry(90, "epoch", previous=4)
    assert reader.take([epoch, one._replace(id=91)]) == [Lost(4, 5), epoch]
    assert reader.last_id == 91
    reader.take([Entry(92, "gone", "a.1")])
    assert reader.find_sequence("a.1") == 0


# Leases.


def test_an_expired_node_is_buried_once_and_posts_no_more(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b, c = join("a"), join("b"), join("c")
    a.say("before")
    a.write()
    a.claim("ann", "m1")
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
    b.claim("ann", "m2")
    assert [text for text in b.hear() + c.hear() if text == "after"] == []


def test_a_large_node_is_buried_in_pieces(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    for number in range(1_200):
        a.post("came", member=f"m{number}", claim=Claim(f"n{number}"))
    while a.write():
        pass
    expire(server, a)
    assert bury(b.engine, a.place.node)
    assert not bury(b.engine, a.place.node)
    kinds: list[str] = []
    while seen := b.see():
        kinds += [kind for kind, _, _ in seen]
    assert kinds == ["came"] * 1_200 + ["gone"]
    assert [server.ask("EXISTS", key) for key in (NAMES, LOOKS, here_key(a.place.node))] == [0, 0, 0]


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
    a.claim("ann", "m1")
    a.claim("рор", "m2")
    a.claim("bob", "m2", kind="renamed")
    a.post("act", field="topic:#lobby", value=b"{}")
    a.post("act", field="topic:#lobby")
    a.post("drop", room=ROOM)
    a.post("went", member="m1")
    a.write()
    load(a.engine, a.place.last_id)
    a.hear()
    retire(a.engine, a.place.node, lease_s=0)
    assert b.beat() == [a.place.node]
    assert bury(b.engine, a.place.node)
    for node in (a, b):
        node.engine.close()


# Names.


def test_a_name_has_one_holder(join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    first = a.claim("ann", "m1")
    assert a.claim("ann", "m1") == first + 1
    with pytest.raises(NameTakenError, match="'ann' is taken"):
        b.claim("ann", "m2")
    b.read()
    assert b.claim("bea", "m2") == first + 2  # what was refused has no entry
    assert b.see() == [("came", b.place.node, b"bea")]
    b.post("went", member="m1")  # it isn't there
    b.write()
    with pytest.raises(NameTakenError):
        b.claim("ann", "m3")
    a.post("went", b"she left", member="m1")
    a.write()
    b.claim("ann", "m3")


def test_a_member_at_two_nodes_keeps_its_name_to_the_last(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    a.claim("ann", "m1")
    b.claim("ann", "m1")
    a.post("went", member="m1")
    a.write()
    with pytest.raises(NameTakenError):
        a.claim("ann", "m2")
    expire(server, b)
    assert bury(a.engine, b.place.node)
    a.claim("ann", "m2")


def test_a_member_who_is_alone_is_at_no_other_node(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b, c = join("a"), join("b"), join("c")
    a.claim("ann", "m1")
    b.claim("ann", "m1", alone=True)
    a.post("went", member="m1")  # its client there, closed
    a.write()
    expire(server, a)
    assert bury(c.engine, a.place.node)
    with pytest.raises(NameTakenError):
        c.claim("ann", "m2")
    b.post("went", member="m1")
    b.write()
    c.claim("ann", "m2")


def test_a_node_keeps_its_names_until_it_is_buried(server: RedisServer, join: Callable[..., Node]) -> None:
    """After the engine stood still, all leases are over, and nobody is dead."""
    a, b = join("a"), join("b")
    a.claim("ann", "m1")
    expire(server, a)
    with pytest.raises(NameTakenError):
        b.claim("ann", "m2")
    assert bury(b.engine, a.place.node)
    b.claim("ann", "m2")


def test_a_name_that_an_unknown_node_holds_is_free(server: RedisServer, join: Callable[..., Node]) -> None:
    """The engine has lost the node's registration, and not the name."""
    a, b = join("a"), join("b")
    a.claim("ann", "m1")
    server.ask("ZREM", NODES, a.place.node)
    b.claim("ann", "m2")
    assert server.ask("HLEN", here_key(a.place.node)) == 0


def test_a_member_changes_its_name_on_all_its_nodes(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    a.claim("ann", "m1")
    b.claim("ann", "m1")
    b.claim("bob", "m2")
    with pytest.raises(NameTakenError):
        a.claim("bob", "m1", kind="renamed")
    a.claim("eve", "m1", kind="renamed")
    assert a.see()[-1] == ("renamed", a.place.node, b"eve")
    b.claim("ann", "m3")
    a.post("went", member="m1")
    a.write()
    with pytest.raises(NameTakenError):
        a.claim("eve", "m4")
    b.post("went", member="m1")
    b.write()
    a.claim("eve", "m4")
    a.claim("eve", "m4", kind="renamed")  # in other letters
    assert set(server.ask("HGETALL", here_key(b.place.node))) == {b"m2", b"bob", b"m3", b"ann"}


def test_a_member_who_comes_again_under_another_name_leaves_the_first(join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    a.claim("ann", "m1")
    a.claim("anna", "m1")
    b.claim("ann", "m2")


def test_a_member_who_has_gone_on_takes_no_name_at_the_node_before(
    server: RedisServer, join: Callable[..., Node]
) -> None:
    a, b = join("a"), join("b")
    a.claim("ann", "m1")
    b.claim("ann", "m1", alone=True)
    with pytest.raises(NameTakenError, match="gone on"):
        a.claim("zoe", "m1", kind="renamed")
    assert server.ask("HGETALL", here_key(a.place.node)) == []
    assert b.claim("zoe", "m2")


def test_what_a_member_says_at_a_node_that_it_has_left_is_refused(join: Callable[..., Node]) -> None:
    """The node has not read yet that the member is at another one: what it had sent there would be out of order."""
    a, b = join("a"), join("b")
    a.claim("ann", "m1", alone=True)
    a.post("say", b"first", member="m1", room=ROOM)
    a.write()
    b.claim("ann", "m1", alone=True)
    for kind in ("say", "block", "tell", "enter", "exit"):
        a.post(kind, b"late", member="m1", room=ROOM)
    a.post("say", b"no member's", room=ROOM)
    b.post("say", b"second", member="m1", room=ROOM)
    assert (a.write(), b.write()) == (6, 1)
    assert a.refused == [b"late"] * 5
    assert a.hear() == ["first", "no member's", "second"]


def test_a_member_who_has_gone_on_is_not_claimed_again(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    a.claim("ann", "m1", again=True)
    b.claim("anna", "m1", alone=True)
    with pytest.raises(NameTakenError, match="gone on at another server"):
        a.claim("ann", "m1", again=True)
    assert server.ask("HGETALL", here_key(a.place.node)) == []
    b.post("went", member="m1")
    b.write()
    a.claim("ann", "m1", again=True)


def test_names_that_look_alike(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    a.claim("pop", "m1")
    with pytest.raises(NameTakenError, match="looks like pop, which is taken"):
        b.claim("рор", "m2")  # in Cyrillic
    b.claim("modern", "m3")
    a.claim("modem", "m4")  # two names in ASCII are never compared
    a.post("went", member="m1")
    a.write()
    b.claim("рор", "m2")
    with pytest.raises(NameTakenError, match="looks like"):
        a.claim("pop", "m1")
    for node, member in ((a, "m4"), (b, "m2"), (b, "m3")):
        node.post("went", member=member)
        node.write()
    assert [server.ask("EXISTS", key) for key in (NAMES, LOOKS, here_key(a.place.node))] == [0, 0, 0]


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_two_nodes_that_claim_the_same_names_at_once(
    count: int, server: RedisServer, join: Callable[..., Node]
) -> None:
    nodes = [join("a"), join("b")]
    won: list[set[str]] = [set(), set()]

    def claim_all(number: int) -> None:
        claims = []
        for each in range(count):
            claims.append(Claim(f"n{each}"))
            nodes[number].post("came", member=f"m{number}.{each}", claim=claims[-1])
            if each % 20 == 0:
                nodes[number].write()
        while nodes[number].write():
            pass
        won[number] = {one.key for one in claims if one.answer.exception(timeout=0) is None}

    threads = [threading.Thread(target=claim_all, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won[0]) + len(won[1]) == count
    assert won[0].isdisjoint(won[1])
    assert server.ask("HLEN", NAMES) == count


def test_a_claim_whose_answer_is_lost_fails_and_can_be_withdrawn(
    cutter: Cutter, behind_cutter: Node, join: Callable[..., Node]
) -> None:
    a, b = behind_cutter, join("b")
    claim = Claim("ann")
    a.post("came", member="m1", claim=claim)
    cutter.write(a)
    a.write()
    assert isinstance(claim.answer.exception(timeout=0), EngineAwayError)
    with pytest.raises(NameTakenError):  # it was done
        b.claim("ann", "m2")
    a.post("went", member="m1")
    a.write()
    b.claim("ann", "m2")


def test_a_claim_of_a_buried_node_fails(server: RedisServer, join: Callable[..., Node]) -> None:
    a, b = join("a"), join("b")
    expire(server, a)
    assert bury(b.engine, a.place.node)
    with pytest.raises(EngineAwayError):
        a.claim("ann", "m1")
    b.claim("ann", "m2")


# What the engine keeps.


def test_the_last_messages_of_rooms_are_kept(join: Callable[..., Node]) -> None:
    a = join("a")
    a.say("one", "two")
    a.say("block", lines=3)
    a.post("say", b"there", room="#other")
    a.post("block", b"lines", room="#other", lines=2)
    a.post("typing", b"no", room="#other")
    a.write()
    first = a.place.last_id
    last = a.read()[-1]
    assert isinstance(last, Entry)
    snapshot = load(a.engine, last.id)
    assert snapshot.rooms == {
        ROOM: [Kept(first + 1, 1, b"one"), Kept(first + 2, 1, b"two"), Kept(first + 5, 3, b"block")],
        "#other": [Kept(first + 6, 1, b"there"), Kept(first + 8, 2, b"lines")],
    }
    assert load(a.engine, first + 1).rooms == {ROOM: [Kept(first + 1, 1, b"one")], "#other": []}
    a.post("drop", room="#other")
    a.write()
    assert list(load(a.engine, last.id).rooms) == [ROOM]


def test_what_another_program_has_written_hinders_no_node(join: Callable[..., Node]) -> None:
    a = join("a")
    a.post("say", b"one", room=ROOM)
    a.write()
    last = a.read()[-1]
    assert isinstance(last, Entry)
    a.engine.ask("SADD", ROOMS, b"\xff")
    a.engine.ask("HSET", STATE, b"\xff", b"odd")
    a.engine.ask("XADD", room_key(ROOM), f"0-{last.id + 1}", "odd", "entry")
    snapshot = load(a.engine, last.id + 1)
    assert snapshot.rooms == {ROOM: [Kept(last.id, 1, b"one")], "\ufffd": []}
    assert snapshot.state == {"\ufffd": b"odd"}


def test_the_state_changes_with_the_log(join: Callable[..., Node]) -> None:
    a = join("a")
    a.post("act", b"act 1", field="ban:account:ann", value=b"until tomorrow")
    a.post("act", b"act 2", field="topic:#lobby", value=b"tea")
    a.post("act", b"act 3")  # a kick, an announcement
    a.write()
    assert load(a.engine, 0).state == {"ban:account:ann": b"until tomorrow", "topic:#lobby": b"tea"}
    a.post("act", b"act 4", field="ban:account:ann")
    a.write()
    assert load(a.engine, 0).state == {"topic:#lobby": b"tea"}
    assert [data for _, _, data in a.see()] == [b"act %d" % number for number in range(1, 5)]


# Registering.


def test_all_nodes_hear_of_a_new_one(join: Callable[..., Node]) -> None:
    a = join("a")
    b = join("b")
    assert a.see() == [("node", b.place.node, b"")]
    assert b.see() == []
    assert (a.place.others, b.place.others) == ([], [a.place.node])


def test_a_node_with_other_rules_is_refused_while_others_live(server: RedisServer, join: Callable[..., Node]) -> None:
    engine = join("probe").engine
    server.ask("DEL", NODES)

    def add(**rules: str) -> Registration:
        return register(engine, "a", rules={f"--{name}": value for name, value in rules.items()}, lease_s=LEASE_S)

    first = add(history="100", room="#a, #b")
    add(history="100", room="#a, #b")
    with pytest.raises(RulesDifferError, match="have --room #a, #b, and this one has no --room: give"):
        add(history="100", room="")
    with pytest.raises(
        RulesDifferError, match="have --history 100 and --room #a, #b, and this one has --history 50 and no --room: "
    ):
        add(history="50", room="")
    server.ask("DEL", NODES)
    server.ask("ZADD", NODES, 1, first.node)  # a dead one
    add(history="50", room="")
    with pytest.raises(RulesDifferError, match="--history 50"):
        add(history="100", room="")


# The queue.


def take_older(outbox: Outbox, than: float) -> list[Posting]:
    taken: list[Posting] = []
    outbox.refuse_older(than, taken.extend)
    return taken


def test_who_waits_for_an_answer_waits_until_a_refusal_is_told() -> None:
    outbox = Outbox()
    outbox.add(Posting("enter", b"", "ann", at=0.0))
    assert not outbox.holds("ann"), "nobody is told what becomes of it"
    for number in range(2):
        outbox.add(Posting("say", b"", "ann", tag=number, at=number))
    assert outbox.holds("ann")
    held: list[bool] = []
    outbox.refuse_older(9.0, lambda _: held.append(outbox.holds("ann")))
    assert held == [True]
    assert not outbox.holds("ann")
    outbox.add(Posting("say", b"", "ann", tag=1))
    outbox.take(2)
    assert not outbox.holds("ann")


def test_a_closed_outbox_takes_nothing_of_members() -> None:
    outbox = Outbox()
    outbox.close()
    assert not outbox.add(Posting("say", b"", "ann"))
    assert outbox.add(Posting("went", b"", "ann"))
    assert outbox.add(Posting("mark", b""))


def test_the_queue_is_bounded() -> None:
    outbox = Outbox(OutboxLimits(messages=3, size_bytes=10, of_member=2))

    def add(member: str, text: str, at: float = 0.0, kind: str = "say") -> bool:
        return outbox.add(Posting(kind, text.encode(), member, at=at))

    assert [add("ann", "a"), add("ann", "b", 1.0), add("ann", "c")] == [True, True, False]
    assert [add("bob", "123456789"), add("bob", "d", 2.0), add("cem", "e")] == [False, True, False]
    assert add("ann", "", kind="went")
    assert add("", "a roster, which is long", 3.0)
    assert outbox.length == 5
    assert [one.data for one in take_older(outbox, 2.0)] == [b"a", b"b"]
    assert [one.data for one in outbox.take(1)] == [b"d"]
    assert [one.kind for one in take_older(outbox, 9.0)] == ["say"]
    assert [one.kind for one in outbox.take_all()] == ["went"]
    assert [add("ann", "x"), add("ann", "123456789")] == [True, True]
    assert take_older(outbox, 9.0)


def test_what_says_where_members_are_is_not_refused_for_its_age() -> None:
    """Members would hear somebody speak who, for them, never came."""
    outbox = Outbox()
    for kind in ("enter", "say", "exit", "went"):
        assert outbox.add(Posting(kind, b"", "ann", at=1.0))
    assert [one.kind for one in take_older(outbox, 2.0)] == ["say"]
    assert [one.kind for one in outbox.take_all()] == ["enter", "exit", "went"]


def test_what_was_taken_can_be_put_back() -> None:
    outbox = Outbox(OutboxLimits(of_member=2))
    postings = [Posting("say", b"%d" % number, "ann") for number in range(3)]
    assert [outbox.add(one) for one in postings] == [True, True, False]
    assert outbox.take(5) == postings[:2]
    assert outbox.add(postings[2])
    outbox.put_back(postings[:2])
    assert not outbox.add(postings[2])
    assert outbox.take_all() == postings


def test_a_posting_can_be_withdrawn() -> None:
    outbox = Outbox(OutboxLimits(of_member=1))
    first, second = Posting("came", b"", "ann"), Posting("came", b"", "ann")
    assert outbox.add(first)
    outbox.remove(second)
    assert not outbox.add(second)
    outbox.remove(first)
    assert outbox.add(second)
    assert outbox.take_all() == [second]
    outbox.remove(second)


# What other threads do for the writer's.


def take_replies(node: Node, until: Callable[[], bool]) -> None:
    """Take replies as the reader's thread does, until something holds."""

    def holds() -> bool:
        node.writer.take_reply()
        return until()

    wait_until(holds)


@pytest.fixture
def greeted(join: Callable[..., Node]) -> Node:
    """Return a node that has said something, and may post from any thread."""
    node = join()
    node.say("zero")
    assert node.write() == 1
    return node


def test_any_thread_sends_one_request_at_a_time(greeted: Node) -> None:
    a = greeted
    for text in ("one", "two", "three"):
        a.say(text)
        a.writer.send_soon()
    assert a.outbox.length == 2  # they wait for the reply to the first
    take_replies(a, lambda: a.writer.answers == 4)  # hello, zero, one, and both others at once
    assert a.hear() == ["zero", "one", "two", "three"]
    assert not a.writer.due.is_set()


def test_a_thread_that_has_its_turn_takes_the_reply_to_what_another_has_sent(greeted: Node) -> None:
    a = greeted
    a.say("one")
    a.writer.send_soon()
    a.say("two")
    assert (a.write(), a.write(), a.write()) == (1, 1, 0)
    assert a.hear() == ["zero", "one", "two"]


def test_what_is_posted_while_a_thread_looks_for_a_reply_is_sent(
    greeted: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = greeted

    def post_meanwhile(*_: object) -> list[int]:
        if not a.outbox.length:
            a.say("one")
            a.writer.send_soon()  # as another thread, it finds that this one has its turn
        return []

    with monkeypatch.context() as patch:
        patch.setattr("sockctl.cluster.writer.list_readable", post_meanwhile)
        a.writer.take_reply()
    assert a.outbox.length == 0
    take_replies(a, lambda: a.writer.answers == 3)
    assert a.hear() == ["zero", "one"]


def test_a_stopped_engine_holds_up_no_thread_that_posts(server: RedisServer, greeted: Node) -> None:
    a = greeted
    texts = [str(number) for number in range(20)]
    with server.stopped():
        for text in texts:
            a.say(text)
            a.writer.send_soon()
            a.writer.take_reply()
        assert a.outbox.length == len(texts) - 1
    take_replies(a, lambda: a.writer.answers == 4)
    assert a.hear() == ["zero", *texts]


def test_what_the_kernel_may_not_take_at_once_is_left_to_the_writers_thread(greeted: Node) -> None:
    a = greeted
    a.say("x" * SHORT_BYTES)
    a.writer.send_soon()
    assert a.writer.due.is_set()
    a.say("behind it")
    a.writer.send_soon()
    assert (a.write(), a.write()) == (1, 1)
    assert [len(text) for text in a.hear()] == [4, SHORT_BYTES, 9]


def test_what_nobody_has_said_hello_for_is_left_to_the_writers_thread(join: Callable[..., Node]) -> None:
    a = join()
    a.say("one")
    a.writer.send_soon()
    assert (a.writer.due.is_set(), a.outbox.length) == (True, 1)


def test_a_lost_reply_to_what_any_thread_has_sent(cutter: Cutter, behind_cutter: Node) -> None:
    a = behind_cutter
    cutter.cuts.set()
    a.say("one")
    a.writer.send_soon()
    take_replies(a, a.writer.due.is_set)
    cutter.cuts.clear()
    with pytest.raises(EngineAwayError):
        a.write()
    a.say("two")
    a.writer.send_soon()
    assert a.write() == 1
    assert a.hear() == ["zero", "one", "two"]


def test_a_refusal_of_what_any_thread_has_sent(server: RedisServer, greeted: Node) -> None:
    """It waits, as it was not carried out."""
    a = greeted
    server.ask("CONFIG", "SET", "maxmemory", 1)
    a.say("one")
    a.writer.send_soon()
    take_replies(a, a.writer.due.is_set)
    with pytest.raises(EngineReplyError):
        a.write()
    assert a.outbox.length == 1
    server.ask("CONFIG", "SET", "maxmemory", 0)
    assert a.write() == 1
    assert a.hear() == ["zero", "one"]


def test_a_connection_that_the_engine_closes_while_nothing_is_said(server: RedisServer, greeted: Node) -> None:
    a = greeted
    server.ask("CLIENT", "KILL", "TYPE", "normal")
    take_replies(a, a.writer.due.is_set)
    a.say("one")
    assert a.write() == 1
    assert a.hear() == ["zero", "one"]


def test_functions_that_are_lost_are_loaded_again(server: RedisServer, greeted: Node) -> None:
    a = greeted
    server.ask("FUNCTION", "FLUSH")
    a.say("one")
    assert (a.write(), a.write()) == (0, 1)
    assert a.hear() == ["zero", "one"]


def test_a_closed_writer_sends_nothing_more(greeted: Node) -> None:
    a = greeted
    a.say("one")
    a.writer.send_soon()
    a.writer.close()
    a.say("two")
    a.writer.send_soon()
    assert a.outbox.length == 1
    assert a.hear() == ["zero", "one"]
