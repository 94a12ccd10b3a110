"""The engine's user that ``sockctl help cluster`` tells to make: its rights are enough for all that sockctl does."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.topics import read_topic
from tests.support.accounts import PASSWORD, accounts_at, make_cheap
from tests.support.chat_client import client_at, member_at
from tests.support.engines import DURABLE, RedisServer, redis_server, tls_settings, without_engine_variables
from tests.support.running import TIMEOUT_S, server_process, sockctl
from tests.support.tls import self_signed
from tests.support.tools import tool

LINES = re.compile(r"^    redis-cli <<'END'\n(.*?)^    END$", re.MULTILINE | re.DOTALL)
SECRET = "PASSWORD"
"""The password, as the page has it."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RedisServer]:
    """Return an engine that lets in no one but the page's user, and an administrator."""
    (tmp_path / "engine").mkdir()
    with redis_server(tmp_path / "engine", *DURABLE) as server:
        [found] = LINES.findall(read_topic("cluster"))
        command = [tool("redis-cli", "redis-tools"), "-p", str(server.port)]
        done = subprocess.run(command, input=found, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        assert set(done.stdout.split()) == {"OK"}
        yield server


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Return the options of each command: the data directory, and the login."""
    login = tmp_path / "login.txt"
    login.touch(0o600)
    login.write_text(f"chat:{SECRET}\n")
    make_cheap(tmp_path / "data")
    return ["--engine-login-file", str(login)]


def run(*command: str, stdin: str = "") -> str:
    """Run a command that must succeed, and return its output."""
    done = sockctl(*command, stdin=stdin.encode(), env=without_engine_variables())
    assert done.returncode == ExitCode.DONE, done.stderr.decode()
    return done.stdout.decode()


def list_refusals(engine: RedisServer) -> list[bytes]:
    """Return what the engine has refused to the user."""
    entries = [dict(zip(one[::2], one[1::2], strict=True)) for one in engine.ask("ACL", "LOG", 100)]
    return [one[b"object"] for one in entries]


def test_the_user_of_the_page_may_do_all(engine: RedisServer, options: list[str], tmp_path: Path) -> None:
    store = ["--store", engine.url, "--data-dir", str(tmp_path / "data"), *options]
    run("users", "add", "ann", "--password-stdin", *store, stdin=f"{PASSWORD}\n")
    run("users", "add", "bob", "--password-stdin", *store, stdin=f"{PASSWORD}\n")
    chat = ["--cluster", engine.url, "--data-dir", str(tmp_path / "data"), *options]
    with server_process("chat", "--auth", "--operator", "ann", *chat) as (server, port):
        with client_at(port) as ann, client_at(port) as bob:
            ann.log_in("ann")
            bob.log_in("bob")
            ann.until("joined", name="bob")
            for line in (
                "hello",
                "/topic Tea",
                "/join #tea",
                "/mute bob 1m",
                "/ban cat 1m",
                "/unban cat",
                "/leave #tea",
            ):
                ann.line(line)
            bob.until("say", text="hello")
            ann.line("/kick bob")
            bob.until("bye")
        fields = run("cluster", "status", engine.url, *options)
        assert "with 1 node" in fields
        assert run("sessions", "list", *store).count("\n") >= 3
        run("sessions", "revoke", "--all", "--yes", *store)
        run("users", "passwd", "ann", "--password-stdin", *store, stdin=f"{PASSWORD} two\n")
        run("users", "disable", "bob", *store)
        run("users", "remove", "bob", "--yes", *store)
        assert server.end() == ExitCode.DONE
    accounts_at(tmp_path / "files", "dan")
    run("users", "import", "--store", engine.url, "--data-dir", str(tmp_path / "files"), *options)
    assert set(list_refusals(engine)) <= {b"config|get"}  # a status shows what it may


def test_the_check_finds_nothing_but_what_it_may_not_see(engine: RedisServer, options: list[str]) -> None:
    told = run("cluster", "check", engine.url, *options)
    assert told.splitlines()[0].endswith(": 1 unknown.")
    assert "appendfsync can't be read by this user." in told


def test_a_right_that_is_missing_is_named_with_the_line_that_grants_it(engine: RedisServer, options: list[str]) -> None:
    engine.ask("ACL", "SETUSER", "chat", "-xread")
    done = sockctl("serve", "chat", "--cluster", engine.url, "--port", "0", *options, env=without_engine_variables())
    assert done.returncode == ExitCode.FAILED
    assert f"redis-cli -h localhost -p {engine.port} ACL SETUSER chat +xread" in done.stderr.decode()


def test_a_node_over_tls_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    (tmp_path / "engine").mkdir()
    own = ["--engine-ca", str(certificate), "--engine-cert", str(certificate), "--engine-key", str(key)]
    data = ["--data-dir", str(tmp_path / "data")]
    with (
        redis_server(tmp_path / "engine", *DURABLE, *tls_settings(certificate, key), plain=False) as server,
        server_process("chat", *data, "--cluster", server.url, *own) as (_, port),
        member_at(port, "ann") as ann,
    ):
        ann.line("hello")
        ann.until("say", text="hello")
        assert "with 1 node and 1 member." in run("cluster", "status", server.url, *own)
        chat = ["serve", "chat", "--port", "0", "--log-format", "json", *data, "--cluster", server.url]
        with_no_one = sockctl(*chat, env=without_engine_variables())
        assert with_no_one.returncode == ExitCode.NOT_LET_IN
        assert b"--engine-ca names the file" in with_no_one.stderr
