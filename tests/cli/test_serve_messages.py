"""The message services as processes, from ``connect``, from nc and from a raw frame client."""

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.frames import frame_client
from tests.support.running import TIMEOUT_S, process, receive_all, receive_exactly, server_process, sockctl
from tests.support.tools import tool


def nc(port: int, data: bytes) -> bytes:
    command = [tool("nc", "netcat-openbsd"), "-N", "127.0.0.1", str(port)]
    return subprocess.run(command, input=data, capture_output=True, timeout=TIMEOUT_S, check=True).stdout


def clients(data: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return sockctl("clients", *arguments, "--data-dir", str(data))


def test_identify_from_everywhere_and_across_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with server_process("identify", "--data-dir", str(data)) as (run, port):
        assert b"Hello, ann!" in nc(port, b"ann\n")
        known = run.event("client_identified")
        assert (known["who"], known["known"], known["service"]) == ("ann", False, "identify")
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    with server_process("identify", "--data-dir", str(data)) as (run, port):
        assert b"Hello again, ann! You were last here" in nc(port, b"")
        with frame_client(port) as client:
            client.expect("welcome", name="ann")
            client.expect("bye")
        greeted = sockctl("connect", f"sockctl://127.0.0.1:{port}", "--expect", "again, ann")
        assert greeted.returncode == 0
        with frame_client(port, source="127.0.0.9") as client:
            client.expect("ask", field="name")
            client.send(kind="answer", field="name", text="ann")
            client.expect("error", code="name_taken")
        asked = json.loads(clients(data, "list", "--json").stdout)
        assert [(one["address"], one["name"]) for one in asked] == [("127.0.0.1", "ann")]
        assert b"127.0.0.1 is Zoe now, and was ann." in clients(data, "rename", "ann", "Zoe").stdout
        assert b"Hello again, Zoe!" in nc(port, b""), "a change by another process is seen"
        assert b"Zoe (127.0.0.1) is forgotten." in clients(data, "forget", "127.0.0.1").stdout
        assert b"I don't know you yet" in nc(port, b"")
        assert run.end() == 0


def test_a_spoiled_file_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "clients.json").write_text('{"version": 1, "clients": {')
    for command in (["clients", "list"], ["clients", "forget", "ann"], ["serve", "identify", "--port", "0"]):
        run = sockctl(*command, "--data-dir", str(tmp_path))
        assert run.returncode == ExitCode.FAILED
        assert b"clients.json is no JSON at line 1, column 28" in run.stderr
        assert b"Traceback" not in run.stderr
    assert (tmp_path / "clients.json").read_text() == '{"version": 1, "clients": {'


def test_talk_with_a_program_from_everywhere() -> None:
    with server_process("talk", "--reply-with", "sed -u s/hello/goodbye/") as (run, port):
        assert nc(port, b"hello you\nhello me\n") == b"sockctl/1 talk\r\ngoodbye you\r\ngoodbye me\r\n"
        with frame_client(port) as client:
            client.line("hello \x1b[2J")
            client.expect("say", text="goodbye [2J")
        scripted = sockctl("connect", f"sockctl://127.0.0.1:{port}", "--send", "hello", "--expect", "^goodbye$")
        assert (scripted.returncode, scripted.stdout) == (0, b"goodbye\n")
        piped = sockctl("connect", f"sockctl://127.0.0.1:{port}", stdin=b"hello 1\nhello 2\n")
        assert piped.stdout == b"goodbye 1\ngoodbye 2\n"
        assert run.end() == 0


def test_a_parent_that_ignores_the_end_of_children() -> None:
    """An ignored SIGCHLD is handed on to every program that a shell or a supervisor starts."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        context = process("serve", "talk", "--reply-with", "sh -c 'cat; exit 3'", "--port", "0", "--log-format", "json")
        run = context.__enter__()
    finally:
        signal.signal(signal.SIGCHLD, before)
    try:
        port = int(run.event("listening")["port"])
        failed = b"The program that answered has failed: exit code 3.\r\nGoodbye!\r\n"
        assert nc(port, b"hello\n") == b"sockctl/1 talk\r\nhello\r\n" + failed
        assert run.event("program_ended")["how"] == "exit code 3"
        assert run.event("client_disconnected")["reason"] == "program_ended"
        assert run.end() == 0
    finally:
        context.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("command", "why"),
    [("", b"empty"), ("'", b"can't be split"), ("/no/such/program -x", b"no program '/no/such/program'")],
)
def test_a_command_that_cannot_be_run_is_refused_at_the_start(command: str, why: bytes) -> None:
    run = sockctl("serve", "talk", "--port", "0", "--reply-with", command)
    assert run.returncode == ExitCode.USAGE
    assert why in run.stderr
    assert b"Traceback" not in run.stderr


def test_names_and_texts_are_inert_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    evil = "\x1b[31m\u202e\n[/x]"
    with process("serve", "identify", "--data-dir", str(tmp_path), "--port", "0", "--log-file", str(log)) as run:
        port = int(run.wait_for(r"Listening on 127\.0\.0\.1:(\d+)")[1])
        answer = nc(port, evil.encode() + b"\n")
        assert b"\x1b" not in answer
        assert "\u202e".encode() not in answer
        with frame_client(port) as client:
            client.expect("ask")
            client.send(kind="\x1b[31m\u202e")  # unknown: ignored
            client.sock.sendall(b"\0\0\0\5" + "\x1b[\u202e".encode())
            client.expect("error", code="bad_message")
        assert run.end() == 0
    text = log.read_text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "protocol_broken" in text


def test_clients_without_a_login_have_the_share_that_was_chosen(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path), "--max-pending", "1", "--ipv6-prefix", "56")
    with server_process("identify", *options) as (run, port):
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as first:
            assert receive_exactly(first, 5) == b"sockc"
            with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as second:
                assert receive_all(second) == b"sockctl/1 identify\r\nAll places are taken: come back later.\r\n"
            assert run.event("client_refused")["reason"] == "too_many_pending"
            first.sendall(b"ann\n")
            assert b"Hello, ann!" in receive_all(first)
        assert b"Hello again, ann!" in nc(port, b"")
        assert run.end() == 0
