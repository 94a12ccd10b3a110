"""Tests for `sockctl.cluster.waiting`; whole nodes wait in the tests of `node`."""

import time

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.outbox import Outbox
from sockctl.cluster.reader import Reader
from sockctl.cluster.waiting import NEWS_APART_S, rest
from sockctl.cluster.writer import Writer


def test_a_node_asks_for_more_news_a_moment_after_news_at_least() -> None:
    writer = Writer(Engine(EngineAccess(host="127.0.0.1")), "a", Outbox(), Reader(0), on_refused=lambda _: None)
    came_at = time.monotonic()
    rest(writer, came_at)
    assert time.monotonic() >= came_at + NEWS_APART_S
