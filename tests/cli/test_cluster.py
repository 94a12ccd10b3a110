"""``sockctl cluster check`` and ``status``: what it prints, its exit codes, and where user and password come from."""

import contextlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.cluster.engine import Engine
from sockctl.cluster.keys import NODES, here_key, posted_key
from sockctl.cluster.registry import register
from tests.support.engines import (
    DURABLE,
    INFO,
    RedisServer,
    bulk,
    healthy,
    redis_server,
    run_without_library,
    scripted_engine,
    tls_settings,
    without_engine_variables,
)
from tests.support.running import free_port, sockctl
from tests.support.screens import WIDTHS, check_screen, take_screen
from tests.support.sentinels import GROUP, watched_engines
from tests.support.tls import self_signed
from tests.support.wrong_servers import serving, silent

SECRET = "grey walnut ferry"
LOGIN = {"SOCKCTL_ENGINE_USER": "ann", "SOCKCTL_ENGINE_PASSWORD": SECRET}


def check(url: str, *options: str, command: str = "check", **variables: str) -> subprocess.CompletedProcess[str]:
    done = sockctl("cluster", command, url, *options, env={**without_engine_variables(), **variables})
    output, errors = done.stdout.decode(), done.stderr.decode()
    assert SECRET not in output + errors
    assert "Traceback" not in errors
    return subprocess.CompletedProcess(done.args, done.returncode, output, errors)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return an engine with which nothing is wrong, and a user ann."""
    with redis_server(tmp_path_factory.mktemp("engine"), *DURABLE) as server:
        server.ask("ACL", "SETUSER", "ann", "on", f">{SECRET}", "~*", "+@all")
        yield server


def test_an_engine_that_is_right(engine: RedisServer) -> None:
    done = check(engine.url)
    assert re.fullmatch(rf"{engine.url} is \w+ \S+, and right for a chat on several machines\.\n", done.stdout)
    assert (done.stderr, done.returncode) == ("", ExitCode.DONE)


def test_what_is_wrong_is_told_with_a_line_to_copy(engine: RedisServer) -> None:
    engine.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "appendfsync", "everysec")
    try:
        told, as_json = check(engine.url), check(engine.url, "--json")
    finally:
        engine.ask("CONFIG", "SET", "maxmemory-policy", "noeviction", "appendfsync", "always")
    assert (told.returncode, as_json.returncode) == (ExitCode.FAILED, ExitCode.FAILED)
    lines = told.stdout.splitlines()
    assert lines[0].endswith(": 1 error, 1 warning.")
    assert f"    redis-cli -h localhost -p {engine.port} CONFIG SET maxmemory-policy noeviction" in lines
    assert lines[-1] == f"    redis-cli -h localhost -p {engine.port} CONFIG REWRITE"
    fields: dict[str, Any] = json.loads(as_json.stdout)
    assert (fields["url"], fields["usable"]) == (engine.url, False)
    assert [(one["level"], one["setting"]) for one in fields["findings"]] == [
        ("error", "maxmemory-policy"),
        ("warning", "appendfsync"),
    ]
    assert all(one["fix"].startswith("redis-cli ") for one in fields["findings"])


def test_a_warning_is_no_failure(engine: RedisServer) -> None:
    engine.ask("CONFIG", "SET", "appendfsync", "everysec")
    try:
        assert check(engine.url).returncode == ExitCode.DONE
    finally:
        engine.ask("CONFIG", "SET", "appendfsync", "always")


# User and password.


def test_a_login_from_the_environment(engine: RedisServer) -> None:
    assert check(engine.url, **LOGIN).returncode == ExitCode.DONE
    wrong = check(engine.url, SOCKCTL_ENGINE_USER="ann", SOCKCTL_ENGINE_PASSWORD="red walnut")
    assert wrong.returncode == ExitCode.NOT_LET_IN
    assert "doesn't let the client in" in wrong.stderr
    alone = check(engine.url, SOCKCTL_ENGINE_USER="ann")
    assert alone.returncode == ExitCode.USAGE
    assert "SOCKCTL_ENGINE_PASSWORD is not" in alone.stderr


def test_a_login_from_a_file(engine: RedisServer, tmp_path: Path) -> None:
    file = tmp_path / "login.txt"
    file.touch(0o600)
    file.write_text(f"ann:{SECRET}\nmore\n")
    options = ("--engine-login-file", str(file))
    assert check(engine.url, *options).returncode == ExitCode.DONE
    assert check(engine.url, SOCKCTL_ENGINE_LOGIN_FILE=str(file)).returncode == ExitCode.DONE
    both = check(engine.url, *options, **LOGIN)
    assert (both.returncode, "contradict" in both.stderr) == (ExitCode.USAGE, True)
    file.chmod(stat.S_IMODE(0o640))
    exposed = check(engine.url, *options)
    assert (exposed.returncode, "0600" in exposed.stderr) == (ExitCode.FAILED, True)
    file.chmod(0o600)
    file.write_text("walnut\n")
    assert check(engine.url, *options).returncode == ExitCode.USAGE
    file.write_text("")
    assert check(engine.url, *options).returncode == ExitCode.USAGE
    file.unlink()
    assert check(engine.url, *options).returncode == ExitCode.FAILED
    os.mkfifo(file, 0o600)
    assert check(engine.url, *options).returncode == ExitCode.FAILED


@pytest.mark.parametrize(
    "url",
    [
        f"redis://ann:{SECRET}@localhost",
        f"redis://:{SECRET}@localhost:6379/0",
        f"redis://localhost?password={SECRET}",
        f"{SECRET}@localhost",
        f"redis+sentinel://ann:{SECRET}@localhost/chat",
    ],
)
def test_a_secret_in_an_argument_is_refused_and_not_repeated(url: str) -> None:
    done = check(url)
    assert done.returncode == ExitCode.USAGE
    assert "--engine-login-file" in done.stderr


# What can't be checked.


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:6379", "http://localhost", "redis://", "redis:///0", "redis://:6379", "redis://localhost:0"),
        *("redis+sentinel://localhost", "redis+sentinel:///chat", "redis+sentinel://a,,b/chat"),
        *("redis+sentinel://a/chat/x", "redis+sentinel://a:0/chat", "sentinel://a/chat"),
        *("redis://localhost:many", "redis://localhost/zero", "redis://localhost/0/1", "redis://localhost/99999"),
    ],
)
def test_a_url_that_names_no_engine(url: str) -> None:
    done = check(url)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("sockctl: ")


def test_options_that_contradict(tmp_path: Path) -> None:
    plain = check("redis://localhost", "--engine-ca", "ca.pem")
    assert (plain.returncode, "rediss://" in plain.stderr) == (ExitCode.USAGE, True)
    alone = check("rediss://localhost", "--engine-key", str(tmp_path / "key"))
    assert (alone.returncode, "--engine-cert" in alone.stderr) == (ExitCode.USAGE, True)
    missing = check("rediss://localhost", "--engine-ca", str(tmp_path / "ca.pem"))
    assert (missing.returncode, "No such file" in missing.stderr) == (ExitCode.FAILED, True)


def refuse(sock: socket.socket) -> None:
    """Answer as a web server, and stay until the client leaves: an end at once may be a reset."""
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    silent(sock)


def test_each_way_to_fail_has_its_code(tmp_path: Path) -> None:
    assert check(f"redis://127.0.0.1:{free_port()}").returncode == ExitCode.UNREACHABLE
    with serving(silent) as port:
        assert check(f"redis://127.0.0.1:{port}", "--engine-timeout", "200ms").returncode == ExitCode.TIMED_OUT
    with serving(refuse) as port:
        assert check(f"redis://127.0.0.1:{port}").returncode == ExitCode.BROKEN
    certificate, key = self_signed(tmp_path)
    settings = tls_settings(certificate, key, clients=False)
    with redis_server(tmp_path, *settings, *DURABLE, plain=False) as server:
        assert check(server.url).returncode == ExitCode.NOT_LET_IN
        assert check(server.url, "--engine-ca", str(certificate)).returncode == ExitCode.DONE


@pytest.mark.parametrize(("command", "name"), [("check", "redis"), ("status", "redis"), ("check", "hiredis")])
def test_without_the_library(tmp_path: Path, command: str, name: str) -> None:
    done = run_without_library(tmp_path, "cluster", command, "redis://localhost", name=name)
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.startswith(f"sockctl: redis:// needs the library {name}, which isn't installed: ")
    assert done.stderr.endswith("pip install 'sockctl[cluster]' brings it.\n")


def test_only_this_command_loads_the_library() -> None:
    code = "import sys, sockctl.cli.cluster, sockctl.cli.app; print('redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_an_engine_can_not_steer_the_terminal() -> None:
    info = INFO.replace("noeviction", "\x1b[2Jallkeys")
    with scripted_engine(healthy(INFO=bulk(info))) as access:
        for options in ((), ("--json",)):
            assert "\x1b" not in check(str(access), *options).stdout


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_golden_report(columns: int, *, colour: bool) -> None:
    info = INFO.replace("noeviction", "allkeys-lru").replace("aof_enabled:1", "aof_enabled:0")
    replies = healthy(INFO=bulk(info), XADD=b"-NOPERM this user has no permissions to run the 'xadd' command\r\n")
    with scripted_engine(replies) as access:
        screen = take_screen("cluster", "check", str(access), columns=columns, colour=colour)
    masked = screen.replace(f"{access.port}", "6379".rjust(len(str(access.port)), "1"))
    check_screen("-".join(["cluster-check", str(columns), *(["colour"] if colour else [])]), masked)


# cluster status.

NAMES = ("alpha.1a2b3c4d", "beta.5e6f7a8b")


def add_nodes(server: RedisServer, *names: str) -> None:
    """Register nodes, which have told what a node tells with its beat."""
    with contextlib.closing(Engine(server.access())) as engine:
        for name in names:
            node = register(engine, name, rules={}, lease_s=86_400).node
            engine.ask("RENAMENX", posted_key(node), posted_key(name))
            engine.ask("ZREM", NODES, node)
            told = ("behind", 0, "waiting", 3, "since", 1_800_000_000_000_000)
            engine.ask("HSET", posted_key(name), *told)
            engine.ask("HSET", here_key(name), *(f"{word}{at}" for at in range(1200) for word in ("member", "key")))
            engine.ask("ZADD", NODES, 9_000_000_000_000_000, name)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return an engine with a chat of two nodes."""
    with redis_server(tmp_path_factory.mktemp("chat"), *DURABLE) as server:
        add_nodes(server, *NAMES)
        yield server


def test_a_status_in_a_pipe(chat: RedisServer) -> None:
    done = check(chat.url, command="status")
    assert (done.stderr, done.returncode) == ("", ExitCode.DONE)
    first, empty, titles, alpha, *_, log, epoch, memory, disk, functions = done.stdout.splitlines()
    assert re.fullmatch(rf"{chat.url} is (Redis|Valkey) \S+, with 2 nodes and 2,400 members\.", first)
    assert empty == ""
    assert titles.split("\t") == ["NODE", "LEASE", "MEMBERS", "BEHIND", "WAITING", "SINCE"]
    assert alpha.split("\t")[2:] == ["1,200", "0", "3", "2027-01-15T08:00:00Z"]
    assert [line.split("\t")[0] for line in (log, epoch, memory, disk, functions)] == [
        *("LOG", "EPOCH", "MEMORY", "DISK", "FUNCTIONS"),
    ]
    assert disk.split("\t")[1] == "appendonly yes, appendfsync always"


def test_a_status_as_json(chat: RedisServer) -> None:
    fields: dict[str, Any] = json.loads(check(chat.url, "--json", command="status").stdout)
    assert list(fields) == [
        *("url", "engine", "nodes", "members", "log", "epoch", "memory", "disk", "forms", "replica_of"),
    ]
    assert fields["nodes"][0] == {
        "name": "alpha.1a2b3c4d",
        "lease_s": fields["nodes"][0]["lease_s"],
        "members": 1200,
        "behind": 0,
        "waiting": 3,
        "since": "2027-01-15T08:00:00Z",
    }
    assert fields["members"] == 2400
    assert fields["memory"]["used_bytes"] > 0
    assert fields["disk"] == {"append_only": True, "fsync": "always", "last_write": "ok"}


def test_a_status_without_a_chat(engine: RedisServer) -> None:
    done = check(engine.url, command="status")
    assert (done.stdout, done.returncode) == ("", ExitCode.FAILED)
    assert done.stderr.startswith(f"sockctl: There is no chat at {engine.url}.")


def test_a_status_without_an_engine() -> None:
    assert check(f"redis://127.0.0.1:{free_port()}", command="status").returncode == ExitCode.UNREACHABLE


def test_an_engine_that_answers_byte_by_byte_has_a_deadline() -> None:
    def drip(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(b"$")
                time.sleep(0.05)

    with serving(drip) as port:
        done = check(f"redis://127.0.0.1:{port}", "--engine-timeout", "2s")
    assert done.returncode == ExitCode.TIMED_OUT
    assert "did not answer all within 4 s" in done.stderr


def test_sentinels_in_a_url(tmp_path: Path) -> None:
    patient = f"sentinel down-after-milliseconds {GROUP} 60000\n"  # an engine that pauses is no less the first one
    with watched_engines(tmp_path, replicas=1, sentinels=1, settings=patient) as watched:
        done = check(watched.url)
        place = f"redis://127.0.0.1:{watched.engines[0].port}"
        assert done.stdout.startswith((f"{place} is Redis ", f"{place} is Valkey "))
        assert f"    sockctl cluster check redis://127.0.0.1:{watched.engines[1].port}\n" in done.stdout
        assert done.returncode == ExitCode.DONE
        add_nodes(watched.engines[0], "alpha")
        assert json.loads(check(watched.url, "--json", command="status").stdout)["url"] == place
        elsewhere = check(f"{watched.url}/5", command="status")
        assert elsewhere.returncode == ExitCode.FAILED
        assert f"'sockctl serve chat --cluster {watched.url}/5' starts" in elsewhere.stderr
        assert check(f"{watched.url}r", command="status").returncode == ExitCode.FAILED


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_golden_status(chat: RedisServer, columns: int, *, colour: bool) -> None:
    seconds, _ = map(int, chat.ask("TIME"))
    for name in NAMES:
        chat.ask("ZADD", NODES, (seconds + 90) * 1_000_000, name)
    screen = take_screen("cluster", "status", chat.url, columns=columns, colour=colour)
    masked = screen.replace(f"{chat.port}", "6379".rjust(len(str(chat.port)), "1"))
    for pattern in (
        r"7\.\d\.\d+",
        r"[\d,.]+(?= s\b)",
        r"\d{16}",
        r"20\d\d-\d\d-\d\d[T ][\d:]+Z?",
        r"[\d.]+(?= MiB)",
    ):
        masked = re.sub(pattern, lambda found: re.sub(r"\d", "0", found[0]), masked)
    check_screen("-".join(["cluster-status", str(columns), *(["colour"] if colour else [])]), masked)
