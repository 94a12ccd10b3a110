"""``serve exec`` as a process: beside the clients of others, over TLS and Unix sockets, watched, and at its limits."""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.services.program import WELL_ENDED
from tests.support.running import (
    TIMEOUT_S,
    Process,
    connect,
    process,
    receive_all,
    receive_exactly,
    send_and_half_close,
    sockctl,
    wait_until,
)
from tests.support.tools import tool

DATA = os.urandom(300_000)


@contextlib.contextmanager
def serving(*words: str) -> Iterator[tuple[Process, int]]:
    """Start a server with these options and this command, its events as JSON; wait until it listens."""
    with process("serve", "exec", "--port", "0", "--log-format", "json", *words) as run:
        yield run, int(run.event("listening")["port"])


THEIRS = {
    "nc": ("netcat-openbsd", ["-N", "127.0.0.1", "PORT"]),
    "ncat": ("ncat", ["127.0.0.1", "PORT"]),
    "socat": ("socat", ["-t", "10", "-", "TCP:127.0.0.1:PORT"]),
}


@pytest.mark.parametrize("name", THEIRS)
def test_their_clients(name: str) -> None:
    package, words = THEIRS[name]
    with serving("--", "cat") as (run, port):
        command = [tool(name, package), *(word.replace("PORT", str(port)) for word in words)]
        done = subprocess.run(command, input=DATA, capture_output=True, timeout=60, check=False)
        assert done.stdout == DATA
        started, ended = run.event("program_started"), run.event("program_ended")
        assert started["wire"] == "bytes"
        assert started["pid"] == ended["pid"]
        assert (ended["how"], ended["bytes_in"], ended["bytes_out"]) == ("exit code 0", len(DATA), len(DATA))
        assert run.end() == 0


def test_curl_shows_why_its_request_is_refused() -> None:
    with serving("--", "cat") as (run, port):
        command = [tool("curl", "curl"), "-sS", "-w", "%{http_code}", f"http://127.0.0.1:{port}/"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.endswith(b"This is an HTTP request, and no HTTP server: nothing of it was carried out.\n403")
        assert run.event("client_disconnected")["reason"] == "http_refused"


def test_a_client_that_is_killed_does_not_keep_a_silent_program() -> None:
    with serving("--half-close-timeout", "0.2", "--", "sleep", "60") as (run, port):
        command = [tool("nc", "netcat-openbsd"), "127.0.0.1", str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as client:
            run.event("program_started")
            client.kill()
        assert run.event("program_ended")["how"] == "the server ended it with its connection"
        assert run.event("client_disconnected")["reason"] == "half_close_timeout"
        assert run.end() == 0


def test_their_client_and_ours_over_tls(tmp_path: Path) -> None:
    with serving("--tls", "--data-dir", str(tmp_path), "--", "sh", "-c", "cat; echo end") as (_, port):
        ours = sockctl("connect", f"tls://127.0.0.1:{port}", "--accept-new", "--state-dir", str(tmp_path), stdin=DATA)
        assert ours.stdout == DATA + b"end\n", ours.stderr
        command = [tool("openssl", "openssl"), "s_client", "-quiet", "-connect", f"127.0.0.1:{port}"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as theirs:
            assert theirs.stdin is not None
            assert theirs.stdout is not None
            theirs.stdin.write(b"over TLS\n")
            theirs.stdin.flush()
            assert theirs.stdout.readline() == b"over TLS\n"
            theirs.terminate()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't tell who has connected")
def test_a_unix_socket_tells_the_user(tmp_path: Path) -> None:
    path = tmp_path / "s"
    words = ("--unix", str(path), "--log-format", "json", "--", "sh", "-c", "env | sort | grep SOCKCTL_PEER; cat")
    with process("serve", "exec", *words) as run:
        run.event("unix_listening")
        with subprocess.Popen(
            [tool("ncat", "ncat"), "-U", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as client:
            told, _ = client.communicate(DATA, TIMEOUT_S)
        lines = told.split(b"\n", 4)
        peer = lines[0].decode().removeprefix("SOCKCTL_PEER=")
        assert peer.startswith(f"uid {os.geteuid()}")
        assert lines[1:4] == [
            b"SOCKCTL_PEER_HOST=uid:%d" % os.geteuid(),
            b"SOCKCTL_PEER_PID=%d" % client.pid,
            b"SOCKCTL_PEER_UID=%d" % os.geteuid(),
        ]
        assert lines[4] == DATA
        assert run.end() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the hang-up comes as the end of the input")
def test_a_unix_client_that_sends_and_leaves_is_heard_to_the_end(tmp_path: Path) -> None:
    """Its hang-up comes before its bytes are read."""
    path = tmp_path / "s"
    script = "trap '' TERM; sleep 0.5; wc -c >&2"  # a busy machine may not let it end in time
    words = ("--unix", str(path), "--grace", "20s", "--log-format", "json", "--", "sh", "-c", script)
    with process("serve", "exec", *words) as run:
        run.event("unix_listening")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(bytes(190_000))
        assert run.event("program_warned")["said"].strip() == "190000"
        assert run.event("program_ended")["how"] in WELL_ENDED


def test_options_behind_the_command_are_the_commands_own() -> None:
    with serving("sh", "-c", "echo $0 $1", "--port", "--help") as (_, port), connect(port) as sock:
        assert receive_all(sock) == b"--port --help\n"


def test_the_environment_is_a_chosen_one() -> None:
    words = ("--env", "EDITOR", "--env", "GREETING=a = b", "--", "env")
    with process(
        *("serve", "exec", "--port", "0", "--log-format", "json", *words),
        env={**os.environ, "EDITOR": "ed", "A_SECRET": "s", "SOCKCTL_DATA_DIR": "/nowhere", "LC_TIME": "C"},
    ) as run:
        with connect(int(run.event("listening")["port"])) as sock:
            told = receive_all(sock).decode().splitlines()
        assert {"EDITOR=ed", "GREETING=a = b", "LC_TIME=C", f"PATH={os.environ['PATH']}"} <= set(told)
        assert not [line for line in told if "SECRET" in line or "DATA_DIR" in line]


@pytest.mark.skipif(sys.platform != "linux", reason="needs the other system's shell")
def test_a_shell_on_a_terminal_with_their_client() -> None:
    with process(
        *("serve", "exec", "--port", "0", "--pty", "--log-format", "json", "--", "sh", "-i"),
        env={**os.environ, "TERM": "vt220"},
    ) as run:
        port = run.event("listening")["port"]
        command = [tool("socat", "socat"), "-t", "20", "-", f"TCP:127.0.0.1:{port}"]
        script = b"echo $TERM; stty size; tty; exit 4\n"
        done = subprocess.run(command, input=script, capture_output=True, timeout=60, check=False)
        assert b"vt220\r\n24 80\r\n/dev/pts/" in done.stdout
        assert run.event("program_ended")["how"] == "exit code 4"


WRONG = {
    "no command": ((), "COMMAND... is missing"),
    "no such program": (("--", "no-such-program"), "There is no program 'no-such-program' that can be run"),
    "one word": (("--", "cat -v"), "give its words apart: sockctl serve exec -- cat -v"),
    "a variable that is not there": (("--env", "NO_SUCH", "--", "cat"), "has no such variable"),
    "a variable without a name": (("--env", "=x", "--", "cat"), "names no variable"),
    "every interface": (("--host", "", "--", "cat"), "--allow 192.0.2.0/24"),
    "an address of the network": (("--host", "192.0.2.1", "--", "cat"), "Without --host, only this machine"),
    "a port beside a Unix socket": (("--host", "::", "--unix", "@x", "--port", "0", "--", "cat"), "--allow"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_before_it_listens(name: str) -> None:
    words, said = WRONG[name]
    done = sockctl("serve", "exec", *words)
    assert done.returncode in {ExitCode.FAILED, ExitCode.USAGE}
    assert said in " ".join(done.stderr.decode().split())
    assert b"istening" not in done.stderr


@pytest.mark.parametrize("words", [("exec", "--"), ("talk", "--reply-with")])
def test_what_is_there_and_no_program_is_named(words: tuple[str, ...], tmp_path: Path) -> None:
    script = tmp_path / "env.sh"
    script.write_text("#!/bin/sh\nenv\n")
    for name, said in (
        ("./env.sh", b"'./env.sh' is not executable. If it is a program: chmod +x ./env.sh"),
        (f"{tmp_path}", b" is a folder. Name a program in it."),
        ("./missing", b"here is no program './missing' that can be run. Check its name or path."),
    ):
        done = sockctl("serve", *words, name, cwd=tmp_path)
        assert done.returncode == ExitCode.USAGE
        assert said in b" ".join(done.stderr.split())


@pytest.mark.parametrize("words", [("--host", "localhost"), ("--host", "", "--allow", "127.0.0.1")])
def test_who_may_connect_is_clear(words: tuple[str, ...]) -> None:
    with serving(*words, "--", "echo", "hello") as (_, port), connect(port) as sock:
        assert receive_all(sock) == b"hello\n"


def test_programs_need_descriptors_too() -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))

    words = ("--max-clients", "100", "--max-programs", "50")
    with process(
        *("serve", "exec", "--port", "0", "--log-format", "json", *words, "--", "cat"), preexec_fn=lower
    ) as run:
        assert run.event("descriptors_limited")["needed"] == 100 + 50 * 4 + 64


def test_the_limit_of_programs() -> None:
    with serving("--max-programs", "1", "--", "cat") as (run, port), connect(port) as first:
        first.sendall(b"x")
        receive_exactly(first, 1)
        with connect(port) as second:
            assert b"all programs are busy" in receive_all(second)
        assert run.event("programs_busy")["max_programs"] == 1


def test_a_watcher_sees_the_process_of_each_client(tmp_path: Path) -> None:
    control = tmp_path / "control"
    with serving("--control", str(control), "--", "cat") as (run, port), connect(port) as sock:
        sock.sendall(b"x")
        receive_exactly(sock, 1)
        pid = run.event("program_started")["pid"]
        shown = json.loads(sockctl("watch", str(control), "--once", "--json").stdout)
        assert [one["name"] for one in shown["connections"]] == [f"pid {pid}"]
        assert shown["server"]["counts"] == {"programs": 1}


@pytest.mark.parametrize("signals", [1, 2])
def test_no_program_outlives_its_server(signals: int) -> None:
    """Though it heeds nothing, and though a second signal ends the server at once."""
    script = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    with serving("--grace", "0.2s" if signals == 1 else "1h", "--drain-timeout", "20", "--", "sh", "-c", script) as (
        run,
        port,
    ):
        with connect(port) as sock:
            receive_exactly(sock, 3)
            pid = run.event("program_started")["pid"]
            run.process.send_signal(signal.SIGTERM)
            run.event("server_stopping")
            while signals > 1 and run.process.poll() is None:  # signals that come close together are one
                run.process.send_signal(signal.SIGTERM)
                time.sleep(0.05)
            receive_all(sock)
        assert run.wait() == (0 if signals == 1 else ExitCode.INTERRUPTED)
        wait_until(lambda: not Path(f"/proc/{pid}").exists() or _has_ended(pid), what="the end of the program")


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_second_client_hears_nothing_of_the_first() -> None:
    with serving("--", "cat") as (_, port), connect(port) as one, connect(port) as two:
        send_and_half_close(one, b"one")
        send_and_half_close(two, b"two")
        assert (receive_all(one), receive_all(two)) == (b"one", b"two")


@pytest.mark.parametrize("options", [(), ("--http",)])
def test_curl_is_refused_unless_requests_are_let_in(options: tuple[str, ...]) -> None:
    answer = "read line; printf 'HTTP/1.0 200 OK\\r\\n\\r\\nanswer'"
    with serving(*options, "--", "sh", "-c", answer) as (_, port):
        command = [tool("curl", "curl"), "-sf", "--max-time", "20", f"http://127.0.0.1:{port}/"]
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S * 2, check=False)
        assert done.stdout == (b"answer" if options else b"")
        assert done.returncode == (0 if options else 22), "22 is curl's code for an answer such as 403"
