"""The sizes of recv() and the backlog, as strace sees them, and what the events tell of them."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import SOCKCTL, UNMEASURED, Process, echo_process, exchange, process, sockctl
from tests.support.tools import tool, unavailable

LINUX = sys.platform == "linux"
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


@pytest.fixture(scope="module")
def strace() -> list[str]:
    """Return the command that traces another one, up to its options."""
    command = [tool("strace", "strace"), "-f", "-qq", "--seccomp-bpf", "-e", "trace=listen,recvfrom"]
    if subprocess.run([*command, "true"], capture_output=True, timeout=60, check=False).returncode:
        unavailable("strace may not trace here")
    return command


class Traced(Process):
    """A server under strace, which writes to `trace`."""

    def __init__(self, strace: list[str], trace: Path, *arguments: str) -> None:
        self._before = [*strace, "-o", str(trace)]
        super().__init__(
            "serve", "echo", "--port", "0", "--no-control", "--log-format", "json", *arguments, env=UNMEASURED
        )

    def command(self, *arguments: str) -> list[str]:
        return [*self._before, *SOCKCTL, *arguments]


@contextlib.contextmanager
def traced(strace: list[str], trace: Path, *arguments: str) -> Iterator[tuple[Process, int]]:
    """Start a server under strace, and end it."""
    run = Traced(strace, trace, *arguments)
    pid = run.event("server_started")["pid"]
    try:
        yield run, int(run.event("listening")["port"])
        os.kill(pid, signal.SIGTERM)
        assert run.wait() == 0
    finally:
        if run.process.poll() is None:
            os.kill(pid, signal.SIGKILL)
        run.close()


def list_calls(trace: Path) -> list[tuple[int, int]]:
    """Return how many bytes each recv() of a connection asked for, and got; a thread's wake-up is a byte."""
    # Where another thread's call stands between, strace shows the rest of a call as resumed.
    call = r"recvfrom(?:\(| resumed>).*, (\d+), 0, NULL, NULL\) += (\d+)$"
    found = re.findall(call, trace.read_text(), re.MULTILINE)
    return [(int(asked), int(got)) for asked, got in found if asked != "1"]


def test_the_server_reads_as_much_as_it_is_told_to(strace: list[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with traced(strace, trace, "--read-size", "1024", "--backlog", "7") as (run, port):
        assert exchange(port, bytes(2_500)) == bytes(2_500)
        run.event("client_disconnected")
    assert [call for call in list_calls(trace) if call[1]] == [(1024, 1024), (1024, 1024), (1024, 452)]
    assert re.findall(r"listen\(\d+, (\d+)", trace.read_text()) == ["7", "7"]
    told = [json.loads(line) for line in run.lines if '"data_received"' in line]
    assert (sum(one["bytes"] for one in told), sum(one["reads"] for one in told)) == (2_500, 3)


def test_the_usual_read_takes_all(strace: list[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with traced(strace, trace) as (run, port):
        assert exchange(port, bytes(2_500)) == bytes(2_500)
        received = run.event("data_received")
    assert (65_536, 2_500) in list_calls(trace)
    assert (received["bytes"], received["reads"], received["portions"], received["portion_bytes"]) == (
        2_500,
        1,
        3,
        1024,
    )
    assert received["text"].startswith("Received 2,500 bytes in one recv(): 3 portions of up to 1,024. recv() copied")


def test_the_client_reads_as_much_as_it_is_told_to(strace: list[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with echo_process() as (_, port):
        command = [*strace, "-o", str(trace), *SOCKCTL, "connect", "127.0.0.1", str(port), "--read-size", "100"]
        done = subprocess.run(command, input=bytes(250), capture_output=True, timeout=60, check=False, env=UNMEASURED)
    assert done.stdout == bytes(250)
    calls = list_calls(trace)
    assert {asked for asked, _ in calls} == {100}
    assert sum(got for _, got in calls) == 250


def read_events(errors: bytes, name: str) -> list[dict[str, object]]:
    events = [json.loads(line) for line in errors.decode().splitlines()]
    return [event for event in events if event["event"] == name]


@pytest.mark.parametrize("scheme", ["", "tls://"])
def test_the_client_tells_each_call_as_json(scheme: str, tmp_path: Path) -> None:
    encrypts = ["--tls", "--data-dir", str(tmp_path)] if scheme else []
    trusts = ["--accept-new", "--state-dir", str(tmp_path)] if scheme else []
    with echo_process(*encrypts) as (_, port):
        done = sockctl("connect", f"{scheme}127.0.0.1:{port}", "-v", "--json", *trusts, stdin=b"hello\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"text": "hello"}]
    (sent,), (received,) = (read_events(done.stderr, name) for name in ("data_sent", "data_received"))
    assert (sent["bytes"], sent["sends"], sent.get("since_last_s")) == (6, 1, None)
    assert (received["bytes"], received["reads"]) == (6, 1)
    assert isinstance(received["since_last_s"], float)
    assert 0 < received["since_last_s"] < 60
    assert sent.get("encrypted") == received.get("encrypted") == (True if scheme else None)


def test_a_busy_stream_is_told_in_sums_unless_the_reads_are_chosen() -> None:
    data = bytes(2_000_000)
    with echo_process("-q") as (_, port):
        for options, few in ([], True), (["--read-size", "4096"], False):
            done = sockctl("connect", f"127.0.0.1:{port}", "-v", "--json", *options, stdin=data)
            received = read_events(done.stderr, "data_received")
            assert sum(int(str(event["bytes"])) for event in received) == len(data)
            assert (len(received) < 100) is few
            assert all(event["reads"] == 1 and int(str(event["bytes"])) <= 4096 for event in received) is not few


def test_the_client_tells_how_many_messages_a_read_has_brought() -> None:
    with process("serve", "talk", "--port", "0", "--log-format", "json", "--reply-with", "cat") as run:
        port = run.event("listening")["port"]
        done = sockctl("connect", f"sockctl://127.0.0.1:{port}", "-v", "--json", "--send", "hi", "--expect", "hi")
        assert done.returncode == 0
    received = read_events(done.stderr, "data_received")
    assert received[0]["messages"] == 0, "the greeting is a line of text"
    assert sum(int(str(event["messages"])) for event in received) >= 1


@pytest.mark.skipif(not LINUX, reason="other systems don't tell their bound")
def test_a_backlog_that_the_kernel_cuts_is_told() -> None:
    bound = int(SOMAXCONN.read_text("ascii"))
    with process("serve", "echo", "--port", "0", "--log-format", "json", "--backlog", str(bound + 1)) as run:
        cut = run.event("backlog_cut")
        assert (cut["wanted_backlog"], cut["backlog"]) == (bound + 1, bound)
        assert run.event("listening")["backlog"] == bound
        assert run.end() == 0
