"""The run of a server: its port, its log, its terminal, and its stop by signals."""

import contextlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.net.kernel_queues import count_unacked_bytes
from tests.support.processes import Popen
from tests.support.running import (
    SOCKCTL,
    TIMEOUT_S,
    UNMEASURED,
    connect,
    echo_process,
    exchange,
    free_port,
    listens,
    process,
    receive_all,
    receive_exactly,
    sockctl,
    stall,
    wait_until,
)

LINUX = sys.platform == "linux"


def test_a_taken_port_moves_to_the_next_free_one_and_says_so() -> None:
    with echo_process() as (_, port), process("serve", "echo", "--port", str(port)) as second:
        moved = second.wait_for(rf"port_taken .*Port {port} is taken .*moved to port (\d+)")[1]
        second.wait_for(rf"Listening on 127\.0\.0\.1:{moved}")
        assert exchange(int(moved), b"there") == b"there"


def test_a_taken_port_is_refused_when_strict() -> None:
    with echo_process() as (_, port):
        done = sockctl("serve", "echo", "--port", str(port), "--strict-port")
        assert done.returncode == ExitCode.FAILED
        assert f"sockctl: Port {port} is taken on 127.0.0.1 by ".encode() in done.stderr


def test_the_port_of_the_default_without_a_terminal() -> None:
    with process("serve", "echo", "--log-format", "json") as run:
        listening = run.event("listening")
        assert listening["host"] == "127.0.0.1"
        assert listening["port"] >= 9090


def test_an_address_of_another_machine() -> None:
    done = sockctl("serve", "echo", "--host", "203.0.113.1", "--port", "0")
    assert done.returncode == ExitCode.FAILED
    assert b"is no address of this machine: name one" in done.stderr


def test_restart_at_once_on_the_same_port() -> None:
    port = free_port()
    for _ in range(3):
        with process("serve", "echo", "--port", str(port), "--strict-port", "--log-format", "json") as run:
            run.event("listening")
            with connect(port) as sock:
                sock.sendall(b"a")
                receive_exactly(sock, 1)
                run.process.terminate()
                assert receive_all(sock) == b""  # the server closes first, and keeps the TIME_WAIT
            assert run.wait() == 0


def test_log_file_instead_of_the_console(tmp_path: Path) -> None:
    log = tmp_path / "echo.log"
    with process("serve", "echo", "--port", "0", "--log-file", str(log)) as run:
        port = int(run.wait_for(rf"^Listening on 127\.0\.0\.1:(\d+) and .*\. Events go to {log}\.$")[1])
        exchange(port, b"x")
        wait_until(lambda: "client_disconnected" in log.read_text())
        log.rename(tmp_path / "echo.log.1")
        exchange(port, b"y")
        wait_until(lambda: log.exists() and "client_disconnected" in log.read_text())
        assert run.end() == 0
    assert len(run.lines) == 1
    assert "server_stopped" in log.read_text()
    assert "server_started" in (tmp_path / "echo.log.1").read_text()


def test_log_file_as_json(tmp_path: Path) -> None:
    log = tmp_path / "echo.log"
    with process("serve", "echo", "--port", "0", "--log-file", str(log), "--log-format", "json") as run:
        run.wait_for("Listening")
        assert run.end() == 0
    assert json.loads(log.read_text().splitlines()[0])["event"] == "server_started"


def test_a_log_file_that_cannot_be_opened(tmp_path: Path) -> None:
    done = sockctl("serve", "echo", "--port", "0", "--log-file", str(tmp_path / "no" / "log"))
    assert done.returncode == ExitCode.FAILED
    assert b"can't be opened: No such file or directory. Give --log-file" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_under_the_log_hurts_no_client() -> None:
    data = random.Random(5).randbytes(1_000_000)
    with process("serve", "echo", "--port", "0", "--log-file", "/dev/full") as run:
        port = int(run.wait_for(r"Listening on 127\.0\.0\.1:(\d+)")[1])
        for _ in range(5):
            assert exchange_both_ways(port, data) == data
        run.has_told("sink_failed .*/dev/full: No space left on device")
        assert run.end() == 0
    assert sum("sink_failed" in line for line in run.lines) == 1, "told once"


def exchange_both_ways(port: int, data: bytes) -> bytes:
    done = sockctl("connect", "127.0.0.1", str(port), stdin=data)
    assert done.returncode == 0
    return done.stdout


def test_a_disk_that_fills_up_and_is_freed_again(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for the full disk; a rotation gives room again."""
    log = tmp_path / "log"

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    with process("serve", "echo", "--port", "0", "--log-file", str(log), preexec_fn=limit, env=UNMEASURED) as run:
        port = int(run.wait_for(r"Listening on 127\.0\.0\.1:(\d+)")[1])
        for _ in range(40):
            assert exchange(port, b"x") == b"x"
        run.wait_for("sink_failed .*File too large")
        log.rename(tmp_path / "log.1")
        assert exchange(port, b"y") == b"y"
        wait_until(lambda: log.exists() and "client_disconnected" in log.read_text())
        assert run.end() == 0
    assert re.search(r"events_lost \d+ events? missing here: .*File too large", log.read_text())


@contextlib.contextmanager
def echo_into(writer: int, *options: str) -> Iterator[tuple[Popen, int]]:
    """Start ``serve echo`` whose standard error is this end of a pipe, which it takes over; return it with its port."""
    port = free_port()
    run = Popen([*SOCKCTL, "serve", "echo", "--port", str(port), *options], stdin=subprocess.DEVNULL, stderr=writer)
    try:
        os.close(writer)
        yield run, port
    finally:
        run.kill()
        run.wait()


def test_standard_error_that_nobody_reads_any_more() -> None:
    reader, writer = os.pipe()
    with echo_into(writer) as (run, port):
        os.read(reader, 1)
        os.close(reader)
        wait_until(lambda: listens(port))
        assert exchange(port, b"still here") == b"still here"
        run.terminate()
        assert run.wait(TIMEOUT_S) == 0


def test_a_terminal_that_is_stopped_holds_up_nobody() -> None:
    """Standard error is a full pipe that nobody reads."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), echo_into(writer) as (run, port):
        wait_until(lambda: listens(port))
        for _ in range(400):  # some 600 bytes of events each: far more than a pipe holds
            assert exchange(port, b"x") == b"x"
        run.terminate()
        assert run.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_exits_0(number: signal.Signals) -> None:
    with echo_process("--drain-timeout", "60") as (run, port), connect(port) as idle, connect(port) as busy:
        busy.sendall(b"a" * 200_000)
        receive_exactly(busy, 1)
        wait_until(lambda: count_unacked_bytes(busy.fileno()) == 0)  # the server's side has got all of it
        started = time.monotonic()
        run.process.send_signal(number)
        run.event("server_stopping")
        rest = receive_all(busy)
        assert len(rest) == 199_999
        assert receive_all(idle) == b""
        busy.close()
        assert run.wait() == 0
        assert time.monotonic() - started < 30, "less than the drain may take"
    assert run.events[-1] == "server_stopped"
    assert sum('"client_disconnected"' in line for line in run.lines) == 2
    assert not any("Traceback" in line for line in run.lines)


def test_drain_timeout() -> None:
    with echo_process("-v", "--drain-timeout", "0.5") as (run, port), connect(port) as stalled:
        stall(run, stalled)
        started = time.monotonic()
        assert run.end() == 0
        assert 0.4 < time.monotonic() - started < 30
    assert any('"drain_timeout"' in line for line in run.lines)


def test_two_signals_at_once_are_one() -> None:
    with echo_process() as (run, port):
        with connect(port) as sock:
            sock.sendall(b"a")
            receive_exactly(sock, 1)
            for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):  # so it has both at once
                run.process.send_signal(number)
        assert run.wait() == 0
    assert run.events[-1] == "server_stopped"


@pytest.mark.parametrize(("host", "says"), [("*", b"'*' is not a host"), ("127.0.0.1:9090", b"alone, without scheme")])
def test_hosts_that_are_none(host: str, says: bytes) -> None:
    done = sockctl("serve", "echo", "--host", host)
    assert done.returncode == ExitCode.USAGE
    assert says in done.stderr


def test_a_second_signal_ends_at_once() -> None:
    with echo_process("-v", "--drain-timeout", "60") as (run, port), connect(port) as stalled:
        stall(run, stalled)
        run.process.send_signal(signal.SIGINT)
        run.event("server_stopping")
        started = time.monotonic()
        while run.process.poll() is None:  # what a busy process sees within 0.1 s counts as one signal
            assert time.monotonic() - started < 30
            time.sleep(0.2)
            run.process.send_signal(signal.SIGINT)
        assert run.wait() == ExitCode.INTERRUPTED
    assert not any("Traceback" in line for line in run.lines)


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e10", "-1"])
def test_drain_timeouts_that_make_no_sense(seconds: str) -> None:
    done = sockctl("serve", "echo", "--port", "0", "--drain-timeout", seconds)
    assert done.returncode == ExitCode.USAGE


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_signals_end_a_server_whose_standard_error_is_blocked(quiet: list[str]) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    with os.fdopen(reader, "rb"), echo_into(writer, "--drain-timeout", "1", *quiet) as (run, port):
        wait_until(lambda: listens(port))
        assert exchange(port, b"x") == b"x"
        run.terminate()
        assert run.wait(TIMEOUT_S) == 0


@pytest.mark.skipif(not LINUX, reason="the number of descriptors at the start is Linux's")
def test_too_few_descriptors_to_start() -> None:
    def errors_with(limit: int) -> bytes:
        return subprocess.run(
            ["sh", "-c", f'ulimit -n {limit}; exec timeout -s TERM 0.7 "$@"', "sh", *SOCKCTL, "serve", "echo"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            env=UNMEASURED,
        ).stderr

    limits = range(4, 24)
    with ThreadPoolExecutor(4) as executor:
        for limit, errors in zip(limits, executor.map(errors_with, limits), strict=True):
            assert b"Traceback" not in errors or b"sockctl/" not in errors, (limit, errors)


def test_json_and_quiet_print_json_only() -> None:
    with process("serve", "echo", "--port", "0", "--log-format", "json", "-q") as run:
        event = json.loads(run.wait_for(r"^\{.*$")[0])
        assert (event["event"], event["host"]) == ("listening", "127.0.0.1")
        assert exchange(event["port"], b"hello") == b"hello"
        assert run.end() == 0
    assert {json.loads(line)["event"] for line in run.lines} == {"listening"}
