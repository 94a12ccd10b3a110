"""Accounts on an engine, from commands and servers that are processes: ``--store``, ``SOCKCTL_STORE``."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_keys import find_wrong_keys
from tests.support.accounts import COSTS, OTHER, PASSWORD, accounts_at
from tests.support.engines import DURABLE, RedisServer, redis_server, without_engine_variables
from tests.support.frames import Fields, FrameClient, frame_client
from tests.support.running import TIMEOUT_S, UNMEASURED, Process, server_process, sockctl, wait_until
from tests.support.sentinels import watched_engines


@pytest.fixture
def store(engine: RedisServer) -> RedisServer:
    """An engine whose hashes cost next to nothing."""
    make_cheap_hashes(engine)
    return engine


def make_cheap_hashes(engine: RedisServer) -> None:
    engine.ask("HSET", "{chat:0}:accounts", "argon2", json.dumps(COSTS))


def run(store: RedisServer, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**without_engine_variables(), "SOCKCTL_STORE": store.url, **variables}
    return sockctl(*arguments, stdin=stdin.encode(), env=environment)


def add(store: RedisServer, *names: str) -> None:
    for name in names:
        added = run(store, "users", "add", name, "--password-stdin", stdin=PASSWORD)
        assert added.returncode == 0, added.stderr


def served(
    store: RedisServer, folder: Path, *arguments: str, service: str = "auth"
) -> contextlib.AbstractContextManager[tuple[Process, int]]:
    options = ["--data-dir", str(folder), "--store", store.url, *arguments]
    return server_process(service, *options, env=without_engine_variables())


@contextmanager
def logged_in(port: int, name: str = "ann") -> Iterator[FrameClient]:
    with frame_client(port) as client:
        client.expect("ask")
        client.line(name)
        client.expect("ask")
        client.line(PASSWORD)
        client.expect("token")
        client.expect("welcome")
        yield client


def try_password(port: int, password: str, name: str = "ann") -> str:
    """Return the code of the answer to a password; "" for a welcome."""
    with frame_client(port) as client:
        client.expect("ask")
        client.line(name)
        for one in iter(client.receive, None):
            if one["kind"] in {"error", "welcome"}:
                return str(one.get("code", ""))
            if one.get("field") == "password":
                client.line(password)
    return "end"


def answer(client: FrameClient, command: str, kind: str) -> Fields:
    """Give a command, and return the first message of a kind."""
    client.line(command)
    return next(one for one in iter(client.receive, None) if one["kind"] == kind)


def test_a_users_life(store: RedisServer, tmp_path: Path) -> None:
    add(store, "ann", "bob")
    listed = json.loads(run(store, "users", "list", "--json").stdout)
    assert [user["name"] for user in listed] == ["ann", "bob"]
    assert run(store, "users", "add", "ann", "--password-stdin", stdin=OTHER).returncode == ExitCode.FAILED
    assert run(store, "users", "passwd", "ann", "--password-stdin", stdin=OTHER).returncode == 0
    assert run(store, "users", "verify", "ann", "--password-stdin", stdin=OTHER).returncode == 0
    wrong = run(store, "users", "verify", "ann", "--password-stdin", stdin=PASSWORD)
    assert wrong.returncode == ExitCode.NOT_LET_IN
    for command in (["disable", "bob"], ["enable", "bob"], ["remove", "bob", "--yes"]):
        assert run(store, "users", *command).returncode == 0
    assert [user["name"] for user in json.loads(run(store, "users", "list", "--json").stdout)] == ["ann"]
    assert run(store, "sessions", "list").stderr == b"Nobody is logged in.\n"
    assert not list(tmp_path.iterdir())


def test_import(store: RedisServer, tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob").remove("bob")
    copied = run(store, "users", "import", "--data-dir", str(tmp_path))
    assert copied.stdout.decode() == f"Copied from {tmp_path}: 1 user, 1 name of a former user.\n"
    again = run(store, "users", "import", "--data-dir", str(tmp_path))
    assert again.stdout.decode() == f"Copied from {tmp_path}: 0 users.\n1 user there already, just so.\n"
    assert json.loads(run(store, "users", "import", "--json", "--data-dir", str(tmp_path)).stdout) == {
        "changed": [],
        "same": 1,
        "former": 0,
        "sessions": 0,
    }
    run(store, "users", "passwd", "ann", "--password-stdin", stdin=OTHER)
    refused = run(store, "users", "import", "--data-dir", str(tmp_path))
    assert (refused.returncode, b"nothing was copied: ann" in refused.stderr) == (ExitCode.FAILED, True)
    assert run(store, "users", "import", "--overwrite", "--data-dir", str(tmp_path)).returncode == 0
    assert run(store, "users", "verify", "ann", "--password-stdin", stdin=PASSWORD).returncode == 0


def test_what_import_needs(store: RedisServer, tmp_path: Path) -> None:
    nothing = run(store, "users", "import", "--data-dir", str(tmp_path))
    assert (nothing.returncode, b"There is no users.json in" in nothing.stderr) == (ExitCode.USAGE, True)
    nowhere = sockctl("users", "import", "--data-dir", str(tmp_path), env=without_engine_variables())
    assert (nowhere.returncode, b"Say where to: --store" in nowhere.stderr) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("redis://localhost:1", ExitCode.UNREACHABLE, b"can't be reached"),
        ("redis://me:secret@localhost", ExitCode.USAGE, b"holds no user, password"),
        ("http://localhost", ExitCode.USAGE, b"names no engine"),
    ],
)
@pytest.mark.parametrize("command", [["users", "list"], ["sessions", "list"], ["serve", "auth", "--port", "0"]])
def test_an_engine_that_can_not_be_used(command: list[str], url: str, code: ExitCode, words: bytes) -> None:
    ended = sockctl(*command, "--store", url, env=without_engine_variables())
    assert (ended.returncode, words in ended.stderr, b"secret" in ended.stderr) == (code, True, False)
    assert b"Traceback" not in ended.stderr


def test_a_login_of_the_engine_from_a_file(tmp_path: Path, store: RedisServer) -> None:
    store.ask("ACL", "SETUSER", "app", "on", ">key", "~{chat:*", "+@all")
    store.ask("CONFIG", "SET", "requirepass", "locked")
    login = tmp_path / "login"
    login.touch(0o600)
    login.write_text("app:key\n")
    try:
        without = run(store, "users", "list")
        assert (without.returncode, b"--engine-login-file" in without.stderr) == (ExitCode.NOT_LET_IN, True)
        assert run(store, "users", "list", "--engine-login-file", str(login)).returncode == 0
        login.chmod(0o644)
        assert run(store, "users", "list", "--engine-login-file", str(login)).returncode == ExitCode.FAILED
    finally:
        with contextlib.closing(Engine(store.access("app", "key"))) as engine:
            engine.ask("CONFIG", "SET", "requirepass", "")
            engine.ask("ACL", "DELUSER", "app")


def test_tokens_and_changes_go_to_all_servers(store: RedisServer, tmp_path: Path) -> None:
    add(store, "ann", "bob")
    with served(store, tmp_path / "a") as (_, first), served(store, tmp_path / "b") as (other, second):
        target, state = f"sockctl://127.0.0.1:{first}", str(tmp_path / "state")
        typed = f"ann\n{PASSWORD}\nwhoami\n".encode()
        assert b"You are ann" in sockctl("connect", target, "--state-dir", state, stdin=typed).stdout
        with logged_in(second) as ann, logged_in(second, "bob") as bob:
            ann.line("sessions")
            here = [ann.expect("notice") for _ in range(2)]
            assert [one["this"] for one in here] == [False, True]
            passwd = run(store, "users", "passwd", "ann", "--password-stdin", stdin=OTHER)
            assert passwd.returncode == 0
            ann.expect("bye", reason="session_ended")
            bob.line("whoami")
            assert "bob" in bob.expect("notice")["text"]
            session = json.loads(run(store, "sessions", "list", "bob", "--json").stdout)[0]["id"]
            assert run(store, "sessions", "revoke", session).returncode == 0
            bob.expect("bye", reason="session_ended")
        assert other.event("session_ended")["user"] == "ann"
        assert try_password(first, PASSWORD) == "login_failed"
        assert try_password(second, OTHER) == ""
        add(store, "carl")
        assert try_password(first, PASSWORD, "carl") == "", "a new user may come at once"


def test_several_servers_let_as_many_guesses_pass_as_one(store: RedisServer, tmp_path: Path) -> None:
    add(store, "ann")
    with served(store, tmp_path / "a") as (_, first), served(store, tmp_path / "b") as (_, second):
        codes = [try_password(port, OTHER) for port in (first, second) * 4]
        guesses = codes.count("login_failed")
        assert 3 <= guesses < 8, "the third failure makes 15 s, less what was served; two throttles let eight pass"
        assert codes == ["login_failed"] * guesses + ["throttled"] * (8 - guesses)


@pytest.mark.parametrize("service", ["auth", "chat"])
def test_an_engine_that_is_away(tmp_path: Path, store: RedisServer, service: str) -> None:
    add(store, "ann")
    more, command, kind = (["--auth"], "/who", "members") if service == "chat" else ([], "whoami", "notice")
    with served(store, tmp_path, *more, service=service) as (server, port), logged_in(port) as ann:
        with store.stopped():
            with frame_client(port) as client:
                client.expect("ask")
                client.line("ann")
                error = client.expect("error")
                assert (error["code"], error["retry_after"]) == ("busy", 5)
                client.expect("ask", field="name")
            for event in ("store_failed", "accounts_unreadable"):  # of two threads, so either may come first
                server.has_told(rf'"event": "{event}".*{store.url}')
            if service == "auth":
                assert answer(ann, "sessions", "error")["code"] == "busy"
            answer(ann, command, kind)
        wait_until(lambda: try_password(port, PASSWORD) == "", timeout_s=TIMEOUT_S)
        answer(ann, command, kind)


def test_an_engine_that_restarts(tmp_path: Path) -> None:
    with redis_server(tmp_path, *DURABLE) as own:
        make_cheap_hashes(own)
        add(own, "ann")
        with served(own, tmp_path / "data") as (_, port), logged_in(port) as ann:
            own.kill()
            assert try_password(port, PASSWORD) in {"busy", "end"}
            own.start()
            assert try_password(port, PASSWORD) == "", "at once, over new connections"
            ann.line("whoami")
            ann.expect("notice")


def test_an_engine_that_would_lose_accounts_is_refused_and_one_that_may_is_told(
    store: RedisServer, tmp_path: Path
) -> None:
    with served(store, tmp_path) as (server, _):
        assert any('"event": "store_unsafe"' in line and "appendonly" in line for line in server.lines)
    store.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        refused = run(store, "serve", "auth", "--port", "0", "--data-dir", str(tmp_path))
    finally:
        store.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert (refused.returncode, b"maxmemory-policy" in refused.stderr) == (ExitCode.FAILED, True)


def test_without_the_option_no_engine_is_loaded(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    code = (
        "import sys\nfrom sockctl.cli.app import app\n"
        f"try:\n    app(['users', 'list', '--data-dir', {str(tmp_path)!r}])\n"
        "except SystemExit:\n    print(sorted({name.partition('.')[0] for name in sys.modules} & {'redis', 'hiredis'}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT_S, check=True, env=UNMEASURED
    )
    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr


def test_a_spoiled_user_is_told_and_the_others_come_in(store: RedisServer, tmp_path: Path) -> None:
    add(store, "ann", "bob")
    with served(store, tmp_path) as (server, port):
        store.ask("HSET", "{chat:0}:users", "bob", "{}")
        store.ask("HSET", "{chat:0}:accounts", "generation", 9)
        store.ask("ZADD", "{chat:0}:users:changed", 9, "bob")
        assert "bob" in server.event("accounts_unreadable")["error"]
        assert try_password(port, PASSWORD) == ""
    refused = run(store, "users", "list")
    assert (refused.returncode, b"are not of the right form" in refused.stderr) == (ExitCode.FAILED, True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_failover_puts_nobody_out_and_lets_in_again(tmp_path: Path, number: signal.Signals) -> None:
    with watched_engines(tmp_path) as watched:
        first = watched.engines[0]
        make_cheap_hashes(first)
        environment = {**without_engine_variables(), "SOCKCTL_STORE": watched.url}
        sockctl("users", "add", "ann", "--password-stdin", stdin=PASSWORD.encode(), env=environment)
        options = ["--data-dir", str(tmp_path), "--engine-timeout", "1s"]
        with server_process("auth", *options, env=environment) as (_, port), logged_in(port) as ann:
            os.kill(first.pid, number)
            until = time.monotonic() + 3 * TIMEOUT_S
            codes = set[str]()
            while code := try_password(port, PASSWORD):
                codes.add(code)
                assert time.monotonic() < until, "the other engine lets nobody in"
                time.sleep(0.1)  # as a client that comes again
            assert codes <= {"busy"}, "never a wrong password"
            ann.line("whoami")
            assert ann.expect("notice")["user"] == "ann"
        with contextlib.suppress(ProcessLookupError):
            os.kill(first.pid, signal.SIGCONT)


@pytest.mark.parametrize("command", [("users", "list"), ("serve", "auth", "--port", "0")])
def test_options_of_an_engine_that_nobody_names(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = sockctl(*command, "--data-dir", str(tmp_path), "--engine-cert", "c.pem", env=without_engine_variables())
    assert done.returncode == ExitCode.USAGE
    assert b"--engine-cert is about an engine, and none is named: add --store URL." in done.stderr


def test_a_check_finds_the_keys_of_accounts_right(store: RedisServer, tmp_path: Path) -> None:
    add(store, "ann")
    with served(store, tmp_path) as (_, port), logged_in(port), contextlib.closing(Engine(store.access())) as client:
        assert find_wrong_keys(client) == []
