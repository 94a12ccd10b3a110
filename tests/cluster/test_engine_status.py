"""Tests for `sockctl.cluster.engine_status`: what is read of a chat in a real engine, and what is told without one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_rights import list_rights
from sockctl.cluster.engine_status import Status, read_status
from sockctl.cluster.functions import FORM
from sockctl.cluster.keys import LOG, META, NODES, here_key, posted_key
from sockctl.cluster.registry import register
from sockctl.errors import EngineError, EngineReplyError, NoChatError
from tests.support.engines import DURABLE, INFO, RedisServer, bulk, healthy, redis_server, scripted_engine
from tests.support.running import wait_until

OTHER_FORM = f"#!lua name=sockctl{FORM + 1}\nredis.register_function('sockctl{FORM + 1}_x', function() end)"


def read(access: EngineAccess) -> Status:
    with contextlib.closing(Engine(access)) as engine:
        return read_status(engine, access)


def add_node(server: RedisServer, name: str, *, lease_s: float = 60.0) -> str:
    """Register a node, and return the name that it gets."""
    with contextlib.closing(Engine(server.access())) as engine:
        return register(engine, name, rules={}, lease_s=lease_s).node


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return an engine."""
    with redis_server(tmp_path_factory.mktemp("engine"), *DURABLE) as server:
        yield server


@pytest.fixture
def server(started: RedisServer) -> RedisServer:
    """Return an engine without data and functions."""
    started.ask("FLUSHALL")
    started.ask("FUNCTION", "FLUSH")
    return started


def test_two_nodes(server: RedisServer) -> None:
    beta, alpha = add_node(server, "beta"), add_node(server, "alpha", lease_s=0.001)
    server.ask("HSET", here_key(beta), *(f"{word}{number}" for number in range(30) for word in ("member", "key")))
    told = {"behind": 7, "waiting": 2, "since": 1_800_000_000_000_000}
    server.ask("HSET", posted_key(beta), *(word for pair in told.items() for word in pair))
    server.ask("HSET", META, "epochs", 3)
    status = read(server.access())
    assert [one.name for one in status.nodes] == [alpha, beta]
    assert [one.name for one in status.living] == [beta]
    over, living = status.nodes
    assert over.lease_s == 0
    assert 30 < living.lease_s <= 60
    assert (living.members, living.behind, living.waiting) == (30, 7, 2)
    assert living.since_us == told["since"]
    assert status.members == 30
    assert status.epochs == 3
    assert status.forms == [FORM]
    assert status.facts.engine.startswith(("Redis ", "Valkey "))


def test_the_log(server: RedisServer) -> None:
    add_node(server, "alpha")
    before = read(server.access())
    assert abs(before.epoch_us - before.last_id) < 60_000_000  # ids begin as the engine's time, in microseconds
    server.ask("XADD", LOG, f"0-{before.last_id + 5}", "k", "say")
    after = read(server.access())
    assert (after.log_length, after.last_id) == (before.log_length + 1, before.last_id + 5)


def test_a_node_that_has_told_nothing(server: RedisServer) -> None:
    add_node(server, "alpha")
    server.ask("ZADD", NODES, 9_000_000_000_000_000, "older")
    status = read(server.access())
    older = next(one for one in status.nodes if one.name == "older")
    assert (older.members, older.behind, older.waiting, older.since_us) == (0, None, None, None)


def test_nothing_is_changed_by_a_look(server: RedisServer) -> None:
    add_node(server, "alpha")
    before = server.ask("INFO", "persistence"), server.ask("DBSIZE")
    read(server.access())
    changes = [line for line in server.ask("INFO", "persistence").splitlines() if b"rdb_changes" in line]
    assert changes[0] in before[0]
    assert server.ask("DBSIZE") == before[1]


def test_functions_that_are_missing(server: RedisServer) -> None:
    add_node(server, "alpha")
    server.ask("FUNCTION", "FLUSH")
    assert read(server.access()).forms == []


def test_functions_of_two_forms(server: RedisServer) -> None:
    add_node(server, "alpha")
    server.ask("FUNCTION", "LOAD", OTHER_FORM)
    assert read(server.access()).forms == [FORM, FORM + 1]


def test_a_chat_of_another_form(server: RedisServer) -> None:
    server.ask("FUNCTION", "LOAD", OTHER_FORM)
    with pytest.raises(NoChatError, match=f"a chat of form {FORM + 1}, and this version of sockctl reads form {FORM}:"):
        read(server.access())


def test_no_chat(server: RedisServer) -> None:
    with pytest.raises(NoChatError, match=r"There is no chat at .* 'sockctl serve chat --cluster redis://localhost:"):
        read(server.access())
    add_node(server, "alpha")
    with pytest.raises(NoChatError):
        read(server.access(database=1))


def test_keys_of_something_else(server: RedisServer) -> None:
    server.ask("SET", META, "text")
    with pytest.raises(EngineReplyError, match=r"WRONGTYPE|wrong kind of value.*'sockctl cluster check redis://"):
        read(server.access())


def test_a_user_with_the_rights_of_a_chat(server: RedisServer) -> None:
    add_node(server, "alpha")
    server.ask("ACL", "SETUSER", "chat", "reset", "on", ">grey walnut", *list_rights())
    status = read(server.access("chat", "grey walnut"))
    assert len(status.nodes) == 1
    assert status.forms == [FORM]
    assert status.facts.config == {}  # appendfsync is for administrators
    server.ask("ACL", "SETUSER", "chat", "-function|list", "-info")
    status = read(server.access("chat", "grey walnut"))
    assert (status.forms, status.facts.engine) == (None, "")
    server.ask("ACL", "SETUSER", "chat", "-hgetall")
    with pytest.raises(EngineReplyError, match=r"'hgetall'.*'sockctl cluster check"):
        read(server.access("chat", "grey walnut"))


def test_a_replica(server: RedisServer, tmp_path: Path) -> None:
    add_node(server, "alpha")
    with redis_server(tmp_path, *DURABLE, "--replicaof", "127.0.0.1", str(server.port)) as replica:
        wait_until(lambda: replica.ask("EXISTS", NODES) == 1, what="the replica's copy")
        status = read(replica.access())
    assert str(status.facts.find_primary()) == f"127.0.0.1:{server.port}"
    assert len(status.nodes) == 1


def test_an_engine_that_loads_its_data() -> None:
    with (
        scripted_engine(healthy(INFO=bulk(f"{INFO}loading:1\r\n"))) as access,
        pytest.raises(EngineError, match="still loading its data"),
    ):
        read(access)
