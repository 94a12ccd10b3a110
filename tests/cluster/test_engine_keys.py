"""Tests for `sockctl.cluster.engine_keys`, and what a check says of the keys."""

import contextlib

import pytest

from sockctl.cluster import engine_keys, keys
from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_check import check_engine
from sockctl.cluster.engine_keys import find_wrong_keys
from sockctl.cluster.keys import here_key, posted_key, room_key
from tests.support.engines import RedisServer, run_in_shell

ALL = [value for name, value in vars(keys).items() if name.isupper() and not name.startswith("_")]


def find(engine: RedisServer) -> list[str]:
    with contextlib.closing(Engine(engine.access())) as client:
        return find_wrong_keys(client)


@pytest.mark.parametrize("key", ALL)
def test_a_key_of_another_type_is_named(engine: RedisServer, key: str) -> None:
    engine.ask("SET", key, "mine")
    assert find(engine) == [key]


def test_the_keys_of_nodes_and_rooms(engine: RedisServer) -> None:
    engine.ask("ZADD", keys.NODES, 1, "a.1", 2, "b.2")
    engine.ask("SADD", keys.ROOMS, "#tea", "#lobby")
    assert find(engine) == []
    wrong = {posted_key("b.2"), here_key("a.1"), room_key("#tea")}
    for key in wrong:
        engine.ask("SET", key, "mine")
    assert set(find(engine)) == wrong


def test_all_keys_of_the_accounts_and_the_chat_are_looked_at() -> None:
    looked_at = {*engine_keys._HASHES, *engine_keys._SORTED_SETS, keys.LOG, keys.ROOMS}
    assert set(ALL) <= looked_at


def test_the_line_moves_what_others_have_written(engine: RedisServer) -> None:
    engine.ask("SET", keys.LOG, "mine")
    engine.ask("SET", keys.NAMES, "mine, too")
    with contextlib.closing(Engine(engine.access())) as client:
        [finding] = [one for one in check_engine(client, engine.access()).findings if one.setting == "keys"]
        assert f"{keys.LOG}, and 1 more:" in finding.text
        run_in_shell(finding.fix)
        assert find_wrong_keys(client) == []
    assert engine.ask("GET", f"other:{keys.LOG}") == b"mine"
