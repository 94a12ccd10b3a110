"""``serve auth`` as a process: from nc and ``connect``, and files that change."""

import json
import re
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path

from sockctl.accounts.accounts import Accounts
from sockctl.cli.exit_codes import ExitCode
from tests.support.accounts import OTHER, PASSWORD, accounts_at
from tests.support.frames import frame_client
from tests.support.running import TIMEOUT_S, Process, free_port, process, server_process, sockctl, wait_until
from tests.support.tools import tool


def served(data: Path, *arguments: str) -> AbstractContextManager[tuple[Process, int]]:
    return server_process("auth", "--data-dir", str(data), *arguments)


def test_from_nc_from_connect_and_across_a_killed_server(tmp_path: Path) -> None:
    data, state = tmp_path / "data", tmp_path / "state"
    accounts_at(data, "ann")
    with served(data, "--port", str(free_port())) as (run, port):
        nc = subprocess.run(
            [tool("nc", "netcat-openbsd"), "-N", "127.0.0.1", str(port)],
            input=f"ann\n{PASSWORD}\nwhoami\n".encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        assert b"Welcome, ann!" in nc.stdout
        assert b"You are ann" in nc.stdout
        assert run.event("login_succeeded")["user"] == "ann"
        target = f"sockctl://127.0.0.1:{port}"
        first = sockctl("connect", target, "--state-dir", str(state), stdin=f"ann\n{PASSWORD}\nwhoami\n".encode())
        assert first.returncode == 0
        assert b"You are ann" in first.stdout
        assert PASSWORD.encode() not in first.stdout + first.stderr
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    command = ["serve", "auth", "--port", str(port), "--data-dir", str(data), "--log-format", "json"]
    with process(*command) as run:
        run.event("listening")
        again = sockctl("connect", target, "--state-dir", str(state), stdin=b"whoami\n")
        assert b"You are ann" in again.stdout, "by the token, after a restart"
        assert run.event("login_succeeded")["by"] == "token"
        out = sockctl("logout", f"127.0.0.1:{port}", "--state-dir", str(state))
        assert out.stdout.startswith(b"You are logged out")
        left = [session.id for session in Accounts(data).list_sessions("ann")]
        assert run.event("logged_out")["session"] not in left
        assert run.end() == 0
    told = "\n".join(run.lines)
    kept = b"".join(path.read_bytes() for path in data.iterdir())
    for secret in (PASSWORD, *re.findall(r'"token": "[0-9a-f]+\.([^"]+)"', (state / "tokens.json").read_text())):
        assert secret not in told
        assert secret.encode() not in kept


def test_commands_reach_a_server_that_runs(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path) as (run, port), frame_client(port) as client:
        sockctl("users", "add", "bob", "--password-stdin", "--data-dir", str(tmp_path), stdin=OTHER.encode())
        client.expect("ask")
        client.line("bob")
        client.expect("ask")
        client.line(OTHER)
        client.expect("token")
        session = client.expect("welcome")["session"]
        assert sockctl("sessions", "revoke", session, "--data-dir", str(tmp_path)).returncode == 0
        began = time.monotonic()
        client.expect("bye", reason="session_ended")
        assert time.monotonic() - began < TIMEOUT_S, "2 s, alone on a machine"
        assert run.event("session_ended")["session"] == session


def test_a_new_user_signs_up_from_connect(tmp_path: Path) -> None:
    data, state = tmp_path / "data", tmp_path / "state"
    accounts_at(data)
    with served(data, "--signup", "--min-length", "20") as (_, port):
        target = f"sockctl://127.0.0.1:{port}"
        run = sockctl(
            "connect",
            target,
            "--state-dir",
            str(state),
            stdin=b"zoe\ntoo short for it\nstill too short\nno better\nwhoami\n",
        )
    assert run.returncode == ExitCode.NOT_LET_IN
    assert run.stderr.count(b"20 characters or more") == 3, "each line answers the question that is asked again"
    assert [user.name for user in Accounts(data).users.list_all()] == []
    with served(data, "--signup") as (_, port):
        target = f"sockctl://127.0.0.1:{port}"
        typed = f"zoe\n{PASSWORD}\n{PASSWORD}\nwhoami\n".encode()
        run = sockctl("connect", target, "--state-dir", str(state), stdin=typed)
        assert b"You are zoe" in run.stdout


def test_a_spoiled_file_is_told_once_and_a_mended_one_counts(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    path = tmp_path / "users.json"
    good = path.read_bytes()
    with served(tmp_path) as (run, port), frame_client(port) as client:
        client.expect("ask")
        client.line("ann")
        client.expect("ask")
        client.line(PASSWORD)
        client.expect("token")
        path.write_bytes(good[:40])
        assert "users.json" in run.event("accounts_unreadable")["error"]
        content = json.loads(good)
        content["users"]["ann"]["disabled"] = True
        temporary = tmp_path / "new"
        temporary.touch(0o600)
        temporary.write_text(json.dumps(content))
        temporary.replace(path)
        run.event("session_ended")
        assert run.end() == 0
        assert sum("accounts_unreadable" in line for line in run.lines) == 1


def test_the_stop_waits_for_nobody_who_is_asked_or_in_line(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    served_long = served(tmp_path, "--drain-timeout", "60")
    with served_long as (run, port), frame_client(port) as asked, frame_client(port) as inside:
        asked.expect("ask")
        inside.expect("ask")
        inside.line("ann")
        inside.expect("ask")
        inside.line(PASSWORD)
        inside.expect("token")
        inside.expect("welcome")
        began = time.monotonic()
        assert run.end() == 0
        assert time.monotonic() - began < 30
        asked.expect("bye", reason="server_stopping")
        inside.expect("bye", reason="server_stopping")
    wait_until(lambda: run.process.poll() == 0)
