"""The options of `sockctl connect` for scripts, each by a real process."""

import contextlib
import json
import re
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.frames import framed
from tests.support.played_server import greet, server
from tests.support.running import CLOSED_PORT, SOCKCTL, TIMEOUT_S, echo_process, receive_all, sockctl


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with echo_process() as (_, port):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def staying() -> Iterator[str]:
    """Answer one client, and stay when it has ended its side, until the test is over."""
    over = threading.Event()

    def play(sock: socket.socket) -> None:
        sock.sendall(b"hello\n")
        with contextlib.suppress(OSError):
            receive_all(sock)
        over.wait(3 * TIMEOUT_S)

    with server(play) as target:
        try:
            yield target
        finally:
            over.set()


# Times.


def test_a_script_that_waits_for_an_answer_has_one_deadline() -> None:
    with staying() as target:
        run = sockctl("connect", target, "--send", "hi", "--timeout", "2s")
    assert (run.returncode, run.stdout) == (ExitCode.TIMED_OUT, b"hello\n")
    assert b"has not ended the connection within 2 s (--timeout)" in run.stderr


def test_quit_after_ends_such_a_script_without_an_error() -> None:
    with staying() as target:
        run = sockctl("connect", target, "--send", "hi", "--timeout", "1s", "--quit-after", "2s")
    assert (run.returncode, run.stdout) == (0, b"hello\n")


def test_a_scripts_pauses_are_its_own(tmp_path: Path, echo: str) -> None:
    script = tmp_path / "script"
    script.write_text("send one\nwait 2500ms\nexpect one\n")
    run = sockctl("connect", echo, "--script", str(script), "--timeout", "2s")
    assert run.returncode == 0, run.stderr


def test_the_idle_timeout(echo: str) -> None:
    run = sockctl("connect", echo, "--recv-only", "--idle-timeout", "200ms")
    assert (run.returncode, run.stdout) == (ExitCode.TIMED_OUT, b"")
    assert run.stderr == b"sockctl: Nothing was sent or received for 0.2 s (--idle-timeout).\n"


# What is sent and shown.


def test_json_shows_a_last_line_without_an_end_when_time_is_up() -> None:
    def play(sock: socket.socket) -> None:
        sock.sendall(b"hello\nlast")
        receive_all(sock)

    with server(play) as target:
        run = sockctl("connect", target, "--json", "--recv-only", "--idle-timeout", "1s")
    assert (run.returncode, run.stdout) == (ExitCode.TIMED_OUT, b'{"text": "hello"}\n{"text": "last"}\n')


def test_send_only_shows_nothing(echo: str) -> None:
    run = sockctl("connect", echo, "--send-only", stdin=b"one\n")
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_send_only_still_tells_a_refusal() -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="ask", text="Who?", field="name") + framed(kind="error", text="No.", code="banned"))
        sock.shutdown(socket.SHUT_WR)
        receive_all(sock)

    with server(play) as target:
        run = sockctl("connect", f"sockctl://{target}", "--send-only", "--quit-after", "20")
    assert (run.returncode, run.stdout) == (ExitCode.NOT_LET_IN, b"")
    assert run.stderr.startswith(b"sockctl: The server says: No.\nsockctl: The server has not let you in (banned)")


def test_send_only_does_not_wait_for_ever() -> None:
    with staying() as target:
        run = sockctl("connect", target, "--send-only", "--quit-after", "100ms", stdin=b"one\n")
    assert (run.returncode, run.stdout) == (0, b"")


def test_recv_only_reads_no_input() -> None:
    heard: list[bytes] = []

    def play(sock: socket.socket) -> None:
        sock.sendall(b"news\n")
        sock.shutdown(socket.SHUT_WR)
        heard.append(receive_all(sock))

    with server(play) as target:
        run = sockctl("connect", target, "--recv-only", stdin=b"never sent\n")
    assert (run.returncode, run.stdout) == (0, b"news\n")
    assert heard == [b""]


def test_a_transcript(tmp_path: Path, echo: str) -> None:
    run = sockctl("connect", echo, "-o", str(tmp_path / "log"), stdin=b"one\n")
    assert (run.returncode, run.stdout) == (0, b"one\n")
    assert (tmp_path / "log").read_bytes() == b"one\none\n"


def test_a_transcript_that_cannot_be(tmp_path: Path, echo: str) -> None:
    run = sockctl("connect", echo, "--output", str(tmp_path / "none" / "log"), stdin=b"one\n")
    assert run.returncode == ExitCode.FAILED
    assert b"can't be opened" in run.stderr


def test_no_transcript_is_begun_without_a_connection(tmp_path: Path) -> None:
    before, new = tmp_path / "before", tmp_path / "new"
    before.write_text("from before")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        target = f"127.0.0.1:{closed.getsockname()[1]}"
    for path in (before, new):
        assert sockctl("connect", target, "--output", str(path), stdin=b"one\n").returncode == ExitCode.UNREACHABLE
    assert before.read_text() == "from before"
    assert not new.exists()


def test_quiet_tells_errors_alone() -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="welcome", text="In.") + framed(kind="error", text="What?", code="unknown_command"))
        sock.shutdown(socket.SHUT_WR)
        receive_all(sock)

    with server(play) as target:
        run = sockctl("connect", "-q", f"sockctl://{target}")
    assert (run.returncode, run.stdout, run.stderr) == (0, b"In.\n", b"sockctl: The server says: What?\n")


# Where from, and where to.


def test_the_own_address(echo: str) -> None:
    run = sockctl("connect", "-v", "--source", "127.0.0.9", echo)
    assert run.returncode == 0
    assert b"this side the address 127.0.0.9:" in run.stderr
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        taken = f"127.0.0.1:{bound.getsockname()[1]}"
        bound.listen()
        run = sockctl("connect", "-s", taken, echo)
    assert run.returncode == ExitCode.FAILED
    assert f"can't begin at {taken}".encode() in run.stderr


def test_which_ports_are_open(echo: str) -> None:
    port = int(echo.partition(":")[2])
    assert sockctl("connect", "-z", echo).stdout == f"open   {echo}\n".encode()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        closed = bound.getsockname()[1]
        run = sockctl("connect", "-z", "127.0.0.1", f"{port},{closed}", "--json")
        quiet = sockctl("connect", "-qz", "127.0.0.1", str(closed))
    assert (run.returncode, run.stderr) == (ExitCode.UNREACHABLE, b"")
    states = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(one["port"], one["open"], one["state"]) for one in states] == [
        (port, True, "open"),
        (closed, False, "closed"),
    ]
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (ExitCode.UNREACHABLE, b"", b"")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-4", "-6"], "-4 and -6 exclude each other"),
        (["-q", "-v"], "-q and -v exclude each other"),
        (["--send-only", "--recv-only"], "--send-only and --recv-only exclude each other"),
        (["--send-only", "--expect", "a"], "--send-only and --expect exclude each other"),
        (["--recv-only", "--send", "a"], "--recv-only and --send exclude each other"),
        (["-z", "--send", "a"], "-z and --send exclude each other"),
        (["-z", "--tls"], "-z and --tls exclude each other"),
        (["-4", "--source", "::1"], "not of the family that -4 asks for"),
        (["--source", "here"], "give an IP address of this machine"),
        (["--idle-timeout", "soon"], "soon"),
    ],
)
def test_options_that_make_no_sense(echo: str, options: list[str], why: str) -> None:
    run = sockctl("connect", echo, *options)
    assert run.returncode == ExitCode.USAGE
    assert why in re.sub(r"[\s│]+", " ", run.stderr.decode())


def test_a_script_file_that_contradicts_an_option(tmp_path: Path, echo: str) -> None:
    script = tmp_path / "script"
    script.write_text("send one\nexpect one\n")
    for option in ("--send-only", "--recv-only"):
        run = sockctl("connect", echo, "--script", str(script), option)
        assert run.returncode == ExitCode.USAGE
        assert option.encode() in run.stderr


def test_several_ports_are_for_z() -> None:
    run = sockctl("connect", "localhost", "1", "2")
    assert run.returncode == ExitCode.USAGE
    assert b"add -z" in run.stderr
    run = sockctl("connect", "-z", "localhost")
    assert run.returncode == ExitCode.USAGE
    assert b"HOST PORT" in run.stderr


# Standard output.


def in_shell(line: str, *values: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of a shell, in which $S is sockctl, and $1, $2 … are `values`."""
    line = line.replace("$S", shlex.join(SOCKCTL))
    return subprocess.run(
        ["bash", "-c", line, "bash", *values], capture_output=True, timeout=3 * TIMEOUT_S, check=False
    )


@pytest.mark.parametrize("options", ["", "--json", "--hex", "--send a --expect a", "-z"])
def test_a_closed_output_is_a_failure(echo: str, options: str) -> None:
    run = in_shell(f"printf 'a\\n' | $S connect {options} $1 >&-", echo)
    assert run.returncode == ExitCode.FAILED
    assert run.stderr == b"sockctl: Standard output can't be written: it is closed. The rest is lost.\n"


@pytest.mark.parametrize("options", ["", "--json", "--hex"])
def test_a_reader_that_has_enough(echo: str, options: str) -> None:
    run = in_shell(f"yes | $S connect {options} $1 | head -1; exit ${{PIPESTATUS[1]}}", echo)
    assert (run.returncode, run.stderr, run.stdout.count(b"\n")) == (0, b"", 1)


def test_a_reader_that_has_enough_of_ports() -> None:
    run = in_shell("$S connect -z 127.0.0.1 1-65535 | head -1; exit ${PIPESTATUS[0]}")
    assert (run.returncode, run.stderr, run.stdout.count(b"\n")) == (0, b"", 1)


@pytest.mark.parametrize("name", ["", "ann lee", "x" * 200, "a\x1b[2Jb c"])
def test_a_user_is_named(name: str) -> None:
    run = sockctl("connect", "--user", name, f"localhost:{CLOSED_PORT}", stdin=b"")
    assert run.returncode == ExitCode.USAGE
    assert b"is no name: it is empty, has spaces, or is too long." in run.stderr
    assert b"\x1b" not in run.stderr
