"""The fixtures of an engine."""

from tests.support.engine_fixtures import engine, engine_server, kind, pool, pools

__all__ = ["engine", "engine_server", "kind", "pool", "pools"]
