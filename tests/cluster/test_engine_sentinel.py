"""Tests for `sockctl.cluster.engine_sentinel`: the engine that Sentinels name, and what is told where they don't."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess, EngineLogin, Place
from sockctl.errors import EngineAwayError, EngineError, EngineLoginError, EngineReplyError, NotAnEngineError
from tests.support.engines import bulk, patiently, redis_server, scripted_engine
from tests.support.running import free_port
from tests.support.sentinels import GROUP, Watched, watched_engines
from tests.support.wrong_servers import serving, silent

LONGEST_S = 60.0
"""Alone it takes some 3 s. A Sentinel that a busy machine holds up for 2 s does nothing for the next 30 s."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Return an engine without a replica, and the one Sentinel that watches it."""
    with watched_engines(tmp_path_factory.mktemp("watched"), replicas=0, sentinels=1) as made:
        yield made


def by_sentinels(*ports: int, group: str = GROUP, timeout_s: float = 10.0, login: EngineLogin | None = None) -> Engine:
    sentinels = tuple(Place("127.0.0.1", port) for port in ports)
    return Engine(EngineAccess(sentinels=sentinels, group=group, timeout_s=timeout_s, login=login))


def answer(port: int) -> bytes:
    """Return a Sentinel's answer that names an engine on loopback."""
    return b"*2\r\n" + bulk("127.0.0.1") + bulk(str(port))


def test_the_engine_that_a_sentinel_names(watched: Watched) -> None:
    with contextlib.closing(Engine(watched.access(database=3))) as engine:
        assert engine.ask("SET", "key", "of the third") == b"OK"
        assert engine.find_place().port == watched.engines[0].port
    assert watched.engines[0].ask("GET", "key") is None
    with contextlib.closing(Engine(watched.engines[0].access(database=3))) as engine:
        assert engine.ask("GET", "key") == b"of the third"


def test_a_sentinel_that_is_away_is_passed_over(watched: Watched) -> None:
    with serving(silent) as port, contextlib.closing(by_sentinels(free_port(), port, *watched.ports)) as engine:
        assert engine.ask("PING") == b"PONG"
        took_s = []
        for _ in range(5):  # a busy machine may delay any of them
            engine.close()
            began = time.monotonic()
            assert engine.ask("PING") == b"PONG"  # the one that answered is asked first now
            took_s.append(time.monotonic() - began)
        assert min(took_s) < 0.9


def test_no_sentinel_answers() -> None:
    ports = free_port(), free_port()
    with contextlib.closing(by_sentinels(*ports)) as engine, pytest.raises(EngineAwayError) as caught:
        engine.ask("PING")
    url = f"redis+sentinel://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/chat"
    assert str(caught.value).startswith(f"No Sentinel of {url} answers. The first one: Sentinel 127.0.0.1:{ports[0]}")


def test_a_name_that_no_sentinel_knows(watched: Watched) -> None:
    engine = by_sentinels(free_port(), *watched.ports, group="other")
    with pytest.raises(EngineError, match=r"knows no 'other'.*sentinel monitor"):
        engine.ask("PING")


def test_an_engine_in_place_of_a_sentinel(watched: Watched) -> None:
    port = watched.engines[0].port
    with contextlib.closing(by_sentinels(port)) as engine, pytest.raises(NotAnEngineError) as caught:
        engine.ask("PING")
    assert str(caught.value) == f"127.0.0.1:{port} is no Sentinel, but an engine: redis://127.0.0.1:{port} names it."


@pytest.mark.parametrize("reply", [b":1\r\n", b"+OK\r\n", b"*1\r\n" + bulk("a"), b"*2\r\n" + bulk("a") + bulk("b")])
def test_something_else_answers(reply: bytes) -> None:
    with scripted_engine({"SENTINEL": reply}) as access, pytest.raises(NotAnEngineError, match="no Sentinel"):
        by_sentinels(access.port).ask("PING")


def test_a_sentinel_that_wants_the_login(tmp_path: Path) -> None:
    login = EngineLogin(user="default", password="grey walnut")
    with redis_server(tmp_path) as server:
        server.ask("CONFIG", "SET", "requirepass", "grey walnut")
        asked: list[str] = []

        def reply(request: list[str]) -> bytes:  # as a Sentinel with a password of its own
            asked.append(request[0])
            if request[0] == "AUTH":
                return b"+OK\r\n"
            return answer(server.port) if "AUTH" in asked else b"-NOAUTH Authentication required.\r\n"

        with scripted_engine(reply) as access:  # type: ignore[arg-type]
            with contextlib.closing(by_sentinels(access.port, login=login)) as engine:
                assert engine.ask("PING") == b"PONG"
            asked.clear()
            with contextlib.closing(by_sentinels(access.port)) as engine, pytest.raises(EngineLoginError):
                engine.ask("PING")


def test_a_sentinel_without_a_password_never_sees_the_login(watched: Watched) -> None:
    watched.engines[0].ask("ACL", "SETUSER", "chat", "on", ">grey walnut", "+ping")
    login = EngineLogin(user="chat", password="grey walnut")
    with contextlib.closing(Engine(watched.access(login=login))) as engine:
        assert engine.ask("PING") == b"PONG"


def test_an_engine_that_became_a_replica_is_left(tmp_path: Path) -> None:
    """The next request asks the Sentinels, and first another one: the last one may be behind."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with (
        redis_server(tmp_path / "old") as old,
        redis_server(tmp_path / "new") as new,
        scripted_engine({"SENTINEL": answer(old.port)}) as behind,
        scripted_engine({"SENTINEL": answer(new.port)}) as right,
        contextlib.closing(by_sentinels(behind.port, right.port)) as engine,
    ):
        assert engine.ask("SET", "key", "1") == b"OK"
        old.ask("REPLICAOF", "127.0.0.1", new.port)
        with pytest.raises(EngineReplyError) as caught:
            engine.ask("SET", "key", "2")
        assert caught.value.code == "READONLY"
        assert engine.ask("SET", "key", "3") == b"OK"
        assert new.ask("GET", "key") == b"3"


def test_a_failover(tmp_path: Path) -> None:
    """The engine is killed: the client goes on at its replica."""
    with (
        watched_engines(tmp_path) as watched,
        contextlib.closing(Engine(watched.access(timeout_s=1.0))) as engine,
    ):
        first, second = watched.engines
        with contextlib.closing(Engine(watched.access())) as patient:
            assert patient.ask("SET", "key", "before") == b"OK"
            assert patient.ask("WAIT", 1, 9000) == 1
        assert patiently(lambda: engine.ask("GET", "key")) == b"before"
        first.kill()
        killed = time.monotonic()
        while True:
            with contextlib.suppress(EngineError):
                engine.ask("SET", "other", "after")
                break
            assert time.monotonic() < killed + LONGEST_S
            time.sleep(0.05)
        assert second.ask("MGET", "key", "other") == [b"before", b"after"]
