"""Tests for `sockctl.cluster.engine_check` and `engine_rights`, with a real engine where one can be made wrong."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess, EngineLogin
from sockctl.cluster.engine_check import check_engine
from sockctl.cluster.engine_findings import Finding, Level, Report
from sockctl.cluster.engine_rights import KEYS_RULE, list_rights
from sockctl.errors import EngineReplyError, NotAnEngineError
from tests.support.engines import DURABLE, INFO, RedisServer, bulk, healthy, redis_server, run_in_shell, scripted_engine
from tests.support.running import free_port, wait_until

DURABLE_WORDS = [word.removeprefix("--") for word in DURABLE]


def check(access: EngineAccess) -> Report:
    with contextlib.closing(Engine(access)) as engine:
        return check_engine(engine, access)


def find(access: EngineAccess) -> dict[str, Level]:
    """Return the settings that a check finds wrong, with the level of each."""
    return {one.setting: one.level for one in check(access).findings}


def run_fix(finding: Finding) -> None:
    """Run the line that mends a finding, as a user does."""
    assert run_in_shell(finding.fix) == "OK\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return an engine with which nothing is wrong; tests undo what they change."""
    with redis_server(tmp_path_factory.mktemp("engine"), *DURABLE) as server:
        yield server


def test_nothing_is_wrong(engine: RedisServer) -> None:
    report = check(engine.access())
    assert report.findings == []
    assert report.is_usable
    assert report.engine.startswith(("Redis ", "Valkey "))


def test_the_check_leaves_nothing_behind(engine: RedisServer) -> None:
    check(engine.access())
    assert engine.ask("DBSIZE") == 0
    assert engine.ask("FUNCTION", "LIST") == []


@pytest.mark.parametrize(
    ("setting", "wrong", "right", "level"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", Level.ERROR),
        ("maxmemory-policy", "volatile-ttl", "noeviction", Level.ERROR),
        ("appendonly", "no", "yes", Level.WARNING),
        ("appendfsync", "everysec", "always", Level.WARNING),
        ("appendfsync", "no", "always", Level.WARNING),
    ],
)
def test_a_wrong_setting_and_the_line_that_mends_it(
    setting: str, wrong: str, right: str, level: Level, engine: RedisServer
) -> None:
    engine.ask("CONFIG", "SET", setting, wrong)
    try:
        report = check(engine.access())
        [finding] = report.findings
        assert (finding.setting, finding.level) == (setting, level)
        assert wrong in finding.text
        assert report.is_usable is (level is Level.WARNING)
        run_fix(finding)
        assert engine.ask("CONFIG", "GET", setting) == [setting.encode(), right.encode()]
        assert check(engine.access()).findings == []
    finally:
        engine.ask("CONFIG", "SET", setting, right)


def test_a_full_memory(engine: RedisServer) -> None:
    engine.ask("CONFIG", "SET", "maxmemory", "200kb")
    try:
        report = check(engine.access())
        assert [(one.setting, one.level) for one in report.findings] == [("maxmemory", Level.ERROR)]
        assert not report.is_usable
        engine.ask("CONFIG", "SET", "maxmemory", int(engine.ask("MEMORY", "STATS")[3]) * 10 // 9)
        assert find(engine.access()) == {"maxmemory": Level.WARNING}
        run_fix(check(engine.access()).findings[0])
        assert find(engine.access()) == {}
    finally:
        engine.ask("CONFIG", "SET", "maxmemory", "0")


def test_a_user_with_the_rights_that_are_told(engine: RedisServer) -> None:
    engine.ask("ACL", "SETUSER", "chat", "reset", "on", ">grey walnut", *list_rights())
    assert find(engine.access("chat", "grey walnut")) == {"appendfsync": Level.UNKNOWN}


def test_each_right_that_is_missing_is_named(engine: RedisServer) -> None:
    for right in list_rights():
        if right in {"+info", "+multi", "+discard"}:
            continue
        rest = [one for one in list_rights() if one != right]
        engine.ask("ACL", "SETUSER", "chat", "reset", "on", ">grey walnut", *rest)
        acl = [one for one in check(engine.access("chat", "grey walnut")).findings if one.setting == "acl"]
        assert [one.level for one in acl] == [Level.ERROR], right
        assert acl[0].fix.endswith(f"ACL SETUSER chat '{right}'" if "|" in right or "~" in right else f"chat {right}")
        run_fix(acl[0])
        assert find(engine.access("chat", "grey walnut")) == {"appendfsync": Level.UNKNOWN}


def test_a_user_who_may_not_try(engine: RedisServer) -> None:
    engine.ask("ACL", "SETUSER", "chat", "reset", "on", ">grey walnut", "~*", "+@all", "-multi", "-info")
    assert find(engine.access("chat", "grey walnut")) == {"acl": Level.ERROR, "info": Level.UNKNOWN}


def test_one_line_grants_all_rights(engine: RedisServer) -> None:
    engine.ask("ACL", "SETUSER", "chat", "reset", "on", ">grey walnut", "+info")
    access = engine.access("chat", "grey walnut")
    run_fix(next(one for one in check(access).findings if one.setting == "acl"))
    assert find(access) == {"appendfsync": Level.UNKNOWN}


def test_a_replica(engine: RedisServer, tmp_path: Path) -> None:
    with redis_server(tmp_path, *DURABLE, "--replicaof", "127.0.0.1", str(engine.port)) as replica:
        report = check(replica.access())
    finding = next(one for one in report.findings if one.setting == "role")
    assert finding.level is Level.ERROR
    assert finding.fix == f"sockctl cluster check redis://127.0.0.1:{engine.port}"
    assert "commands" not in {one.setting for one in report.findings}  # that it is read-only is told once


def test_an_engine_with_a_replica(engine: RedisServer, tmp_path: Path) -> None:
    with redis_server(tmp_path, *DURABLE, "--replicaof", "127.0.0.1", str(engine.port)) as replica:
        wait_until(lambda: b"connected_slaves:1" in engine.ask("INFO", "replication"), what="the replica")
        [finding] = check(engine.access()).findings
    assert (finding.setting, finding.level) == ("replicas", Level.UNKNOWN)
    assert finding.fix == f"sockctl cluster check redis://127.0.0.1:{replica.port}"
    wait_until(lambda: b"connected_slaves:0" in engine.ask("INFO", "replication"), what="the replica's end")


def test_one_line_mends_all_of_the_disk(engine: RedisServer) -> None:
    engine.ask("CONFIG", "SET", "appendonly", "no", "appendfsync", "everysec")
    try:
        [finding] = check(engine.access()).findings
        assert finding.setting == "appendonly"
        run_fix(finding)
        assert check(engine.access()).findings == []
    finally:
        engine.ask("CONFIG", "SET", *DURABLE_WORDS)


@pytest.mark.parametrize(
    ("tls", "login", "settings"),
    [
        (False, False, ["password", "encryption"]),
        (True, False, ["password"]),
        (False, True, ["encryption"]),
        (True, True, []),
    ],
)
def test_an_engine_on_another_machine(*, tls: bool, login: bool, settings: list[str], engine: RedisServer) -> None:
    access = EngineAccess(
        host="engine.example", tls=tls, login=EngineLogin(user="chat", password="grey walnut") if login else None
    )
    with contextlib.closing(Engine(engine.access())) as client:
        findings = check_engine(client, access).findings
    assert [one.setting for one in findings] == settings
    assert {one.level for one in findings} <= {Level.WARNING}
    assert [one.fix for one in findings if one.setting == "encryption"] == [
        "sockctl cluster check rediss://engine.example:6379" for _ in range(settings.count("encryption"))
    ]


def test_an_engine_with_shards(tmp_path: Path) -> None:
    settings = (*DURABLE, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with redis_server(tmp_path, *settings) as server:
        assert find(server.access())["cluster-enabled"] is Level.ERROR


# What no engine at hand does.


def test_an_old_engine() -> None:
    replies = healthy(INFO=bulk(INFO.replace("7.0.15", "6.2.14")), CONFIG=b"-ERR wrong number of arguments\r\n")
    with scripted_engine(replies) as access:
        report = check(access)
    assert report.engine == "Redis 6.2.14"
    assert [one.setting for one in report.findings] == ["version", "appendfsync"]
    assert report.findings[0].fix == "apt-get install redis-server"


def test_valkey() -> None:
    info = INFO.replace("7.0.15", "7.2.4") + "server_name:valkey\r\nvalkey_version:8.1.0\r\n"
    with scripted_engine(healthy(INFO=bulk(info))) as access:
        report = check(access)
    assert (report.engine, report.findings) == ("Valkey 8.1.0", [])


def test_an_engine_that_loads_its_data() -> None:
    replies = healthy(INFO=bulk(f"{INFO}loading:1\r\n"), MULTI=b"-LOADING Redis is loading\r\n")
    with scripted_engine(replies) as access:
        assert find(access) == {"loading": Level.ERROR}


REFUSALS = {
    "MISCONF Errors writing to the AOF file: No space left on device": "disk",
    "NOREPLICAS Not enough good replicas to write.": "min-replicas-to-write",
    "ERR unknown command 'FUNCTION', with args beginning with: 'LIST'": "commands",
}


@pytest.mark.parametrize(("line", "setting"), REFUSALS.items())
def test_an_engine_that_refuses_what_a_chat_does(line: str, setting: str) -> None:
    refused = {word: f"-{line}\r\n".encode() for word in ("FUNCTION", "XADD", "HSET")}
    with scripted_engine(healthy(**refused)) as access:
        [finding] = check(access).findings
    assert (finding.setting, finding.level) == (setting, Level.ERROR)
    assert line.partition(" ")[2].partition(", with args")[0] in finding.text
    assert finding.remedy.startswith("This shows more: redis-cli ")


def test_a_failed_disk() -> None:
    with scripted_engine(healthy(INFO=bulk(f"{INFO}aof_last_write_status:err\r\n"))) as access:
        assert find(access) == {"disk": Level.ERROR}


def test_newer_words_for_a_missing_right() -> None:
    replies = healthy(
        XADD=b"-NOPERM User chat has no permissions to run the 'xadd' command\r\n",
        HSET=b"-NOPERM No permissions to access a key\r\n",
    )
    with scripted_engine(replies) as access:
        [finding] = check(access).findings
    assert finding.fix.endswith(f"ACL SETUSER default +xadd '{KEYS_RULE}'")


@pytest.mark.parametrize("settings", ["", "maxmemory:many\r\nused_memory:\r\n", "role:slave\r\n", "no colon\r\n"])
def test_odd_settings(settings: str) -> None:
    with scripted_engine(healthy(INFO=bulk(f"redis_version:7.x\r\n{settings}"))) as access:
        check(access)


@pytest.mark.parametrize("reply", [b":1\r\n", b"*0\r\n", b"$-1\r\n", bulk(""), bulk("hello")])
def test_no_engine_at_all(reply: bytes) -> None:
    with scripted_engine({"INFO": reply}) as access, pytest.raises(NotAnEngineError):
        check(access)


@pytest.mark.parametrize("word", ["INFO", "CONFIG"])
def test_an_engine_that_refuses_to_tell(word: str) -> None:
    with scripted_engine(healthy(**{word: b"-BUSY a script runs\r\n"})) as access, pytest.raises(EngineReplyError):
        check(access)


def test_config_as_no_list() -> None:
    with scripted_engine(healthy(CONFIG=b"+OK\r\n")) as access:
        assert find(access) == {"appendfsync": Level.UNKNOWN}
