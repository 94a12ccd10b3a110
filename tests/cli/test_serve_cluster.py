"""``serve chat --cluster``: several servers are one chat; what is wrong with their engine is said."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.chat_client import client_at, member_at
from tests.support.engines import (
    DURABLE,
    FORGETFUL,
    INFO,
    RedisServer,
    bulk,
    healthy,
    redis_server,
    run_without_library,
    scripted_engine,
)
from tests.support.running import CLOSED_PORT, Process, server_process, sockctl


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "engine").mkdir()
    with redis_server(tmp_path / "engine", *DURABLE) as server:
        yield server


def node(data: Path, url: str, *arguments: str) -> contextlib.AbstractContextManager[tuple[Process, int]]:
    """Run a node; return it with its port."""
    return server_process("chat", "--data-dir", str(data), "--cluster", url, *arguments)


def events(run: Process, name: str) -> list[dict[str, Any]]:
    """Return the events of that name that were read so far."""
    return [one for line in run.lines if (one := json.loads(line))["event"] == name]


def refused(*arguments: str) -> str:
    """Return the error of a server that doesn't start."""
    done = sockctl("serve", "chat", "--port", "0", *arguments)
    assert done.returncode not in {0, -9}
    error = done.stderr.decode()
    assert "Traceback" not in error
    return error


def test_servers_are_one_chat(engine: RedisServer, tmp_path: Path) -> None:
    with node(tmp_path / "a", engine.url, "--node", "alpha") as (alpha, at_alpha):
        assert alpha.event("store_connected")["node"].startswith("alpha.")
        with node(tmp_path / "b", engine.url, "--node", "beta") as (beta, at_beta):
            connected = beta.event("store_connected")
            name = connected["node"]
            assert connected["others"] == 1
            assert alpha.event("node_joined")["node"] == name
            with member_at(at_alpha, "ann") as ann, member_at(at_beta, "bob") as bob:
                ann.until("joined", name="bob")
                bob.line("hello")
                said = ann.until("say", sender="bob", text="hello", room="#lobby")
                assert bob.until("say", sender="bob")["id"] == said["id"]
                ann.line("/msg bob psst")
                bob.until("say", private=True, text="psst")
                with client_at(at_alpha) as other:
                    other.expect("ask", field="name")
                    other.send(kind="answer", field="name", text="Bob")
                    assert "taken" in other.until("error")["text"]
                assert beta.end() == ExitCode.DONE
                bob.until("bye", reason="server_stopping")
                with client_at(at_alpha) as again:
                    again.expect("ask", field="name")
                    again.send(kind="resume", token=bob.token, seen={"#lobby": said["id"]})
                    again.until("welcome", name="bob")
                    assert alpha.event("node_gone")["node"] == name
                    again.line("I am here")
                    skipped = []
                    while (one := ann.receive()) is not None and one.get("text") != "I am here":
                        skipped.append(one["kind"])
                    assert "left" not in skipped


def test_what_is_said_outlasts_all_servers(engine: RedisServer, tmp_path: Path) -> None:
    with node(tmp_path / "a", engine.url) as (_, port), member_at(port, "ann") as ann:
        ann.line("hello")
        ann.until("say", text="hello")
        ann.line("/topic Tea")
        ann.until("notice", topic="Tea")
        assert sockctl("cluster", "check", engine.url).returncode == ExitCode.DONE, "its keys are right"
    with node(tmp_path / "a", engine.url) as (_, port), member_at(port, "bob") as bob:
        bob.until("history", text="hello")
        bob.line("/topic")
        bob.until("notice", topic="Tea")


def test_a_server_with_other_rules_is_refused(engine: RedisServer, tmp_path: Path) -> None:
    with node(tmp_path / "a", engine.url, "--room", "tea", "--history", "50"):
        url = ("--cluster", engine.url, "--data-dir", str(tmp_path / "b"))
        assert refused(*url, "--history", "50") == (
            "sockctl: The nodes that are there have --room #tea, and this one has no --room: "
            "give all of them the same.\n"
        )
        assert "--history 50, and this one has --history 100" in refused(*url, "--room", "tea")
        assert refused(*url) == (
            "sockctl: The nodes that are there have --room #tea and --history 50, and this one has no --room and "
            "--history 100: give all of them the same.\n"
        )


def test_an_engine_that_may_lose_messages_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    with (
        redis_server(tmp_path / "engine", *FORGETFUL) as server,
        node(tmp_path / "a", server.url) as (run, _),
    ):
        [warning] = events(run, "store_unsafe")
        assert warning["setting"] == "appendonly"
        assert warning["fix"].endswith("CONFIG SET appendonly yes appendfsync always")


def test_an_engine_that_would_delete_names_is_refused(engine: RedisServer) -> None:
    engine.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert refused("--cluster", engine.url) == (
        f"sockctl: maxmemory-policy is allkeys-lru: the engine deletes names and messages when its memory is full. "
        f"This mends it: redis-cli -h localhost -p {engine.port} CONFIG SET maxmemory-policy noeviction\n"
    )


def test_an_old_engine_is_refused() -> None:
    with scripted_engine(healthy(INFO=bulk(INFO.replace("7.0.15", "6.2.7").replace("yes", "no")))) as access:
        error = refused("--cluster", str(access))
    assert "Redis 6.2.7 has no functions: Redis 7.0 or newer is needed, or Valkey." in error


def test_an_engine_without_a_command() -> None:
    with scripted_engine(
        healthy(FUNCTION=b"-ERR unknown command 'FUNCTION', with args beginning with: \r\n")
    ) as access:
        error = refused("--cluster", str(access))
    assert error == (
        "sockctl: The engine refuses FUNCTION LOAD: unknown command 'FUNCTION'. If its redis.conf renames that command "
        "(rename-command), remove the line there. This shows more: "
        f"redis-cli -h 127.0.0.1 -p {access.port} COMMAND INFO FUNCTION\n"
    )


def test_without_an_engine() -> None:
    done = sockctl("serve", "chat", "--port", "0", "--cluster", f"redis://localhost:{CLOSED_PORT}")
    assert done.returncode == ExitCode.UNREACHABLE
    assert b"can't be reached: Connection refused. See whether the engine runs there." in done.stderr


def test_an_engine_in_which_others_have_written(engine: RedisServer) -> None:
    engine.ask("SET", "{chat:0}:log", "mine")
    assert refused("--cluster", engine.url) == (
        "sockctl: Another program has written in the chat's key {chat:0}:log: the chat can't use it. Move it away. "
        f"This mends it: redis-cli -h localhost -p {engine.port} RENAMENX '{{chat:0}}:log' 'other:{{chat:0}}:log'\n"
    )


def test_names_of_servers(engine: RedisServer) -> None:
    assert "--node is the name among several servers: add --cluster." in refused("--node", "a")
    for wrong in ("a b", "-a", "ä", "a" * 33, ""):
        error = refused("--cluster", engine.url, f"--node={wrong}")
        assert f"--node {wrong!r} can't be the name of a server: write 1 to 32 letters" in error


def test_the_login_at_the_engine(engine: RedisServer, tmp_path: Path) -> None:
    engine.ask("ACL", "SETUSER", "default", ">grey walnut ferry", "resetpass", ">grey walnut ferry")
    login = tmp_path / "login"
    login.write_text("default:grey walnut ferry\n")
    login.chmod(0o600)
    assert "doesn't let the client in" in refused("--cluster", engine.url)
    with node(tmp_path / "a", engine.url, "--engine-login-file", str(login)) as (run, _):
        assert "walnut" not in "".join(run.lines)


def test_without_the_library(tmp_path: Path) -> None:
    done = run_without_library(tmp_path, "serve", "chat", "--cluster", "redis://localhost")
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.startswith("sockctl: redis:// needs the library redis, which isn't installed: ")
    assert done.stderr.endswith("pip install 'sockctl[cluster]' brings it.\n")


def test_a_chat_on_one_machine_loads_no_library() -> None:
    code = "import sys, sockctl.cli.serve, sockctl.cli.serve_chat; print('redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--advertise", "http://a.example:9080"], "add --cluster and --web"),
        (["--cluster", "redis://localhost:1", "--advertise", "http://a.example:9080"], "add --cluster and --web"),
        (
            ["--cluster", "redis://localhost:1", "--web", "0", "--advertise", "a.example:9080"],
            "is no address of a page",
        ),
        (["--cluster", "redis://localhost:1", "--web", "0", "--advertise", "http://a/b"], "is no address of a page"),
        (["--cluster", "redis://localhost:1", "--web", "0", "--advertise", "http://[::1]:80"], "a name or an IPv4"),
        (
            ["--cluster", "redis://localhost:1", "--web", "0", "--tls", "--advertise", "http://a.example"],
            "the page is at https://a.example",
        ),
    ],
)
def test_addresses_of_pages(arguments: list[str], words: str) -> None:
    assert words in " ".join(refused(*arguments).split())
