"""Fixtures for tests that run with each kind of store: files, and an engine."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from sockctl.cluster.engine_pool import EnginePool
from tests.support.engines import RedisServer, redis_server

KINDS = ["files", "engine"]


@pytest.fixture(scope="session")
def engine_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A redis-server for all tests of a process."""
    with redis_server(tmp_path_factory.mktemp("engine")) as server:
        yield server


@pytest.fixture
def engine(engine_server: RedisServer) -> RedisServer:
    """The server, without any data."""
    engine_server.ask("FLUSHALL")
    return engine_server


@pytest.fixture
def pool(engine: RedisServer) -> Iterator[EnginePool]:
    """Connections to the engine."""
    with closing(EnginePool(engine.access())) as made:
        yield made


@pytest.fixture
def pools(engine: RedisServer) -> Iterator[list[EnginePool]]:
    """Connections of three machines to the engine."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(EnginePool(engine.access()))) for _ in range(3)]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of store."""
    return str(request.param)
