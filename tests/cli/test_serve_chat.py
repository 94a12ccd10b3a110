"""``serve chat`` as a process: from nc and ``connect``, its options, and across a restart."""

import os
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.chat_client import client_at
from tests.support.operators import enter
from tests.support.running import TIMEOUT_S, Process, process, server_process, sockctl, wait_until
from tests.support.tools import tool


def served(data: Path, *arguments: str) -> AbstractContextManager[tuple[Process, int]]:
    return server_process("chat", "--data-dir", str(data), *arguments)


def test_from_nc_from_connect_and_across_a_restart(tmp_path: Path) -> None:
    motd = tmp_path / "motd"
    motd.write_text("Be kind.\n")
    with served(tmp_path / "data", "--motd", str(motd)) as (run, port), client_at(port) as ann:
        enter(ann, "ann")
        assert run.event("member_came")["who"] == "ann"
        nc = subprocess.run(
            [tool("nc", "netcat-openbsd"), "-N", "127.0.0.1", str(port)],
            input=b"bob\nhello\n",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        assert nc.stdout.decode().splitlines()[2:5] == [
            "Welcome, bob! What you type is said in #lobby; /help lists the commands.",
            "Be kind.",
            "You are in #lobby.",
        ]
        ann.until("say", sender="bob", text="hello")
        scripted = sockctl(
            "connect",
            f"sockctl://127.0.0.1:{port}",
            "--no-session",
            *("--expect", "name", "--send", "carl", "--expect", "Welcome", "--send", "/msg ann psst"),
            *("--expect", "psst"),
        )
        assert scripted.returncode == 0
        ann.until("say", private=True, sender="carl", text="psst")
        ann.line("/topic Tea")
        ann.until("notice", topic="Tea")
        assert run.end() == 0
        ann.until("bye", reason="server_stopping")
    with served(tmp_path / "data") as (_, port), client_at(port) as ann:
        ann.expect("ask")
        ann.line("ann")
        ann.until("notice", topic="Tea")
        ann.until("history", sender="bob", text="hello")


def test_after_a_killed_server_what_was_said_is_there(tmp_path: Path) -> None:
    with served(tmp_path) as (run, port), client_at(port) as ann:
        enter(ann, "ann")
        ann.line("hello")
        ann.until("say")
        history = tmp_path / "chat-history.jsonl"
        wait_until(lambda: history.exists() and b"hello" in history.read_bytes())
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    with (tmp_path / "chat-history.jsonl").open("ab") as file:
        file.write(b'{"kind":"say","te')  # torn
    with served(tmp_path) as (_, port), client_at(port) as ann:
        ann.expect("ask")
        ann.line("ann")
        ann.until("history", text="hello")


def test_a_block_outlasts_a_killed_server_and_is_told_in_both_ways(tmp_path: Path) -> None:
    lines = ["def f():", "\treturn 1", "", "/quit"]
    with served(tmp_path) as (run, port), client_at(port) as ann:
        enter(ann, "ann")
        ann.send(kind="block", text=lines[0], lines=lines)
        last = [ann.until("say", text=line)["id"] for line in lines][-1]
        history = tmp_path / "chat-history.jsonl"
        wait_until(lambda: history.exists() and b"return" in history.read_bytes())
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    with served(tmp_path) as (_, port), client_at(port, hello=False) as ann:
        ann.send(kind="hello", can=["blocks"])
        ann.line("ann")
        assert ann.until("history", id=last)["lines"] == lines
        nc = subprocess.run(
            [tool("nc", "netcat-openbsd"), "-N", "127.0.0.1", str(port)],
            input=b"bob\n/quit\n",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        said = [line for line in nc.stdout.decode().splitlines() if "<ann>" in line]
        assert [line.split("<ann> ")[1] for line in said] == lines


def test_two_chats_dont_share_their_files(tmp_path: Path) -> None:
    with served(tmp_path):
        second = sockctl("serve", "chat", "--port", "0", "--data-dir", str(tmp_path))
    assert second.returncode == ExitCode.FAILED
    assert b"Another server keeps its chat in" in second.stderr
    assert b"Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--flood", "fast"], "--flood 'fast' can't be understood: write BURST/RATE"),
        (["--flood", "0/10"], "can't be understood"),
        (["--flood", "5/0"], "can't be understood"),
        (["--room", "a b"], "no name of a room"),
        (["--motd", "/nowhere/motd"], "--motd /nowhere/motd can't be read"),
        (["--operator", "ann"], "add --auth"),
        (["--signup"], "add --auth"),
        (["--auth", "--signup", "--operator", "zoe"], "a stranger could become it"),
        (["--insecure"], "add --auth"),
        (["--store", "redis://localhost:1"], "--store is about users who log in: add --auth."),
        (["--engine-login-file", "login"], "--engine-login-file is about an engine, and none is named: add --cluster"),
        (["--engine-ca", "ca.pem"], "--engine-ca is about an engine, and none is named: add --cluster URL."),
        (["--engine-timeout", "9"], "--engine-timeout is about an engine"),
        (["--history", "-1"], "--history"),
        (["--auth", "--host", ""], "in clear"),
    ],
)
def test_what_is_refused(tmp_path: Path, options: list[str], why: str) -> None:
    run = sockctl("serve", "chat", "--port", "0", "--data-dir", str(tmp_path), *options)
    assert run.returncode == ExitCode.USAGE
    assert why in run.stderr.decode()


def test_variables_for_other_commands_are_no_mistake(tmp_path: Path) -> None:
    variables = {"SOCKCTL_STORE": "redis://localhost:1", "SOCKCTL_ENGINE_CA": "ca.pem"}
    command = ["serve", "chat", "--port", "0", "--data-dir", str(tmp_path), "--log-format", "json"]
    with process(*command, env={**os.environ, **variables}) as server:
        server.event("listening")


@pytest.mark.parametrize("content", [b"\xff\n", b"line\n" * 51])
def test_a_motd_that_will_not_do(tmp_path: Path, content: bytes) -> None:
    motd = tmp_path / "motd"
    motd.write_bytes(content)
    run = sockctl("serve", "chat", "--port", "0", "--data-dir", str(tmp_path), "--motd", str(motd))
    assert run.returncode == ExitCode.USAGE
    assert str(motd).encode() in run.stderr


def test_a_file_that_can_not_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    for name in ("chat.json", "chat-history.jsonl"):
        path = tmp_path / name
        path.touch(0o600)
        path.write_text("junk\n")
        run = sockctl("serve", "chat", "--port", "0", "--data-dir", str(tmp_path))
        assert run.returncode == ExitCode.FAILED
        assert str(path).encode() in run.stderr
        assert path.read_text() == "junk\n"
        path.unlink()


def test_users_and_operators(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, "--auth", "--operator", "Ann") as (run, port), client_at(port) as ann:
        for name, peer in (("ann", ann),):
            peer.expect("ask")
            peer.line(name)
            peer.expect("ask", field="password")
            peer.line(PASSWORD)
            peer.until("members")
        state = tmp_path / "state"
        bob = ["connect", f"sockctl://127.0.0.1:{port}", "--state-dir", str(state)]
        first = sockctl(*bob, stdin=f"bob\n{PASSWORD}\nfirst\n".encode())
        again = sockctl(*bob, stdin=b"second\n")
        assert first.returncode == again.returncode == 0
        ann.until("say", sender="bob", text="first")
        ann.until("say", sender="bob", text="second")
        ann.line("/ban bob")
        ann.until("notice", code="announcement")
        banned = sockctl(*bob, stdin=b"third\n")
        assert b"You are banned here." in banned.stderr
        assert run.end() == 0
        assert PASSWORD not in "\n".join(run.lines)


def test_a_login_ends_at_the_chat(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, "--auth") as (_, port):
        server, state = f"127.0.0.1:{port}", str(tmp_path / "state")
        own = ["--state-dir", state]
        assert sockctl("connect", f"sockctl://{server}", *own, stdin=f"ann\n{PASSWORD}\nhi\n".encode()).returncode == 0
        kept = (tmp_path / "state" / "tokens.json").read_bytes()
        out = sockctl("logout", server, *own)
        assert (out.returncode, out.stderr) == (0, b"")
        (tmp_path / "state" / "tokens.json").write_bytes(kept)
        wait_until(lambda: not accounts_at(tmp_path).list_sessions("ann"))
        again = sockctl("connect", f"sockctl://{server}", *own, stdin=b"hi\n")
        assert again.returncode == ExitCode.NOT_LET_IN, "the token is worth nothing"


def test_a_guest_has_no_login_to_end(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port), client_at(port) as ann:
        enter(ann, "ann")
        ann.line("/logout")
        error = ann.until("error", code="bad_command")
        assert "/quit" in error["text"]


def test_a_chat_under_tls(tmp_path: Path) -> None:
    with served(tmp_path, "--tls") as (_, port):
        run = subprocess.run(
            [tool("openssl", "openssl"), "s_client", "-quiet", "-ign_eof", "-connect", f"127.0.0.1:{port}"],
            input=b"ann\nhello\n/quit\n",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ},
        )
        assert b"In #lobby: ann" in run.stdout
        assert b"Goodbye!" in run.stdout
