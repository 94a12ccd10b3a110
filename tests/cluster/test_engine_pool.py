"""The connections for logins: broken ones, a slow engine, many threads."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_pool import SIZE, EnginePool
from sockctl.cluster.keys import ACCOUNTS
from sockctl.errors import EngineAwayError, EngineReplyError, EngineTimeoutError
from tests.support.engines import RedisServer, patiently, scripted_engine
from tests.support.running import TIMEOUT_S, free_port


def ask(pool: EnginePool) -> list[bytes]:
    reply: list[bytes] = pool.call("settings", (ACCOUNTS,), "name", "value")
    return reply


@pytest.fixture
def impatient(engine: RedisServer) -> Iterator[EnginePool]:
    with closing(EnginePool(engine.access(timeout_s=1.0))) as made:
        patiently(lambda: ask(made))
        yield made


def test_functions_are_loaded_where_they_are_missing(pool: EnginePool, engine: RedisServer) -> None:
    engine.ask("FUNCTION", "FLUSH")
    assert ask(pool) == [b"name", b"value"]


def test_a_connection_that_the_engine_has_closed_costs_no_error(pool: EnginePool, engine: RedisServer) -> None:
    for _ in range(3):
        ask(pool)
        engine.ask("CLIENT", "KILL", "TYPE", "normal")


def test_an_engine_that_is_not_there() -> None:
    with closing(EnginePool(EngineAccess(host="127.0.0.1", port=free_port()))) as pool:
        for _ in range(SIZE + 1):
            with pytest.raises(EngineAwayError, match="can't be reached"):
                ask(pool)


def test_a_slow_engine_is_asked_once_a_second(impatient: EnginePool, engine: RedisServer) -> None:
    with engine.stopped():
        with pytest.raises(EngineTimeoutError, match="did not answer"):
            ask(impatient)
        errors: list[str] = []
        for _ in range(50):
            with pytest.raises(EngineTimeoutError) as caught:
                ask(impatient)
            errors.append(str(caught.value))
        assert sum("too slow" in error for error in errors) > 25, "but for those that a busy machine lets ask later"


def test_more_threads_than_connections(pool: EnginePool, engine: RedisServer) -> None:
    before = len(engine.ask("CLIENT", "LIST").splitlines())
    with ThreadPoolExecutor(20) as threads:
        for end in [threads.submit(ask, pool) for _ in range(200)]:
            assert end.result(TIMEOUT_S) == [b"name", b"value"]
    assert len(engine.ask("CLIENT", "LIST").splitlines()) - before <= SIZE


def test_no_thread_waits_for_a_slow_engine_longer_than_one_answer(impatient: EnginePool, engine: RedisServer) -> None:
    with engine.stopped():
        began = time.monotonic()
        with ThreadPoolExecutor(80) as threads:
            ends = [threads.submit(ask, impatient) for _ in range(80)]
            assert all(isinstance(end.exception(TIMEOUT_S), EngineTimeoutError) for end in ends)
        assert time.monotonic() - began < 15, "a connection has 1 s, and so has the wait for one: not 20 times that"


def test_a_refusal_leaves_the_connection_as_it_is(pool: EnginePool) -> None:
    with pytest.raises(EngineReplyError):
        pool.call("no_such_function", (ACCOUNTS,))
    assert ask(pool) == [b"name", b"value"]


def test_an_engine_that_refuses_is_named_with_what_to_do(engine: RedisServer) -> None:
    engine.ask("ACL", "SETUSER", "poor", "reset", "on", ">grey walnut", "+info")
    with closing(EnginePool(engine.access("poor", "grey walnut"))) as pool, pytest.raises(EngineReplyError) as refused:
        ask(pool)
    assert str(refused.value) == (
        f"{engine.url} refuses: this user has no permissions to run the 'fcall' command. "
        f"'sockctl cluster check {engine.url}' says what is wrong."
    )
    assert refused.value.code == "NOPERM"


@pytest.mark.parametrize("lasts", [False, True])
def test_an_engine_that_is_no_primary_any_more_is_left_for_another(*, lasts: bool) -> None:
    refusals = [b"-READONLY You can't write against a read only replica.\r\n"] * (9 if lasts else 1)

    def reply(request: Sequence[str]) -> bytes:
        return (refusals.pop() if refusals else b"*0\r\n") if request[0] == "FCALL" else b"+OK\r\n"

    with scripted_engine(reply) as access, closing(EnginePool(access)) as pool:
        if lasts:
            with pytest.raises(EngineReplyError, match="read only"):
                ask(pool)
            assert len(refusals) == 7, "one more try, and then it is told"
        else:
            assert ask(pool) == []
