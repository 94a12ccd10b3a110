"""`connect udp://…` as a process: beside our own server and other tools, on a terminal, in a pipe, on a bad network."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.datagrams import RunningDatagrams, datagrams
from tests.support.running import TIMEOUT_S, sockctl
from tests.support.terminal import ended
from tests.support.tools import tool, unavailable
from tests.support.two_hosts import SERVER, Line, UnavailableError, two_hosts


@pytest.fixture
def echo() -> Iterator[RunningDatagrams]:
    with datagrams() as run:
        yield run


@contextlib.contextmanager
def answering(*answers: list[bytes]) -> Iterator[int]:
    """Serve datagrams at a port: each that comes gets the next answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(TIMEOUT_S)

        def serve() -> None:
            for batch in answers:
                _, address = sock.recvfrom(100)
                for each in batch:
                    sock.sendto(each, address)

        thread = threading.Thread(target=serve)
        thread.start()
        yield sock.getsockname()[1]
        thread.join(TIMEOUT_S)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port of UDP that nobody listens at: TCP's socket there takes no datagram."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def test_lines(echo: RunningDatagrams) -> None:
    done = sockctl("connect", f"udp://localhost:{echo.port}", stdin=b"one\n\nthree")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"one\n\nthree\n", b"")


def test_verbose_tells_each_datagram_and_the_account(echo: RunningDatagrams) -> None:
    done = sockctl("connect", f"udp://127.0.0.1:{echo.port}", "-v", stdin=b"hello\n\n")
    text = done.stderr.decode()
    for pattern in (
        rf"datagrams_opened +Datagrams go to 127\.0\.0\.1:{echo.port}, from 127\.0\.0\.1:\d+\. socket\(\) made",
        r"datagram_sent +Sent a datagram of 5 bytes\. send\(\) handed it to the kernel whole",
        r"datagram_sent +Sent an empty datagram\.",
        r"datagram_received +Received a datagram of 5 bytes, [\d.,]+ (µs|ms|s) after it was sent\.",
        r"datagrams_ended +Everything asked for was done after .*: 2 datagrams \(5 bytes\) sent and 2 \(5 bytes\) "
        r"received; 2 answered, 0 lost\.",
    ):
        assert re.search(pattern, text), (pattern, text)


def test_json(echo: RunningDatagrams) -> None:
    done = sockctl("connect", f"udp://127.0.0.1:{echo.port}", "-v", "--json", stdin=b"caf\xc3\xa9\n\n\xff\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"text": "café"},
        {"text": ""},
        {"base64": "/w=="},
    ]
    account = json.loads(done.stderr.splitlines()[-1])
    assert account["event"] == "datagrams_ended"
    assert {name: account[name] for name in ("sent", "received", "answered", "lost", "echoed", "duplicates")} == {
        "sent": 3,
        "received": 3,
        "answered": 3,
        "lost": 0,
        "echoed": 3,
        "duplicates": 0,
    }


def test_hex_shows_borders(echo: RunningDatagrams) -> None:
    done = sockctl("connect", f"udp://127.0.0.1:{echo.port}", "--hex", stdin=b"ab\n")
    assert done.stdout.decode().splitlines() == [
        "> a datagram of 2 bytes",
        "> 00000000  61 62                                             |ab|",
        "< a datagram of 2 bytes",
        "< 00000000  61 62                                             |ab|",
    ]


def test_blocks_of_bytes_come_back_whole(echo: RunningDatagrams, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    transcript = tmp_path / "transcript"
    options = ("--datagram-size", "1400", "--output", str(transcript))
    done = sockctl("connect", f"udp://127.0.0.1:{echo.port}", *options, stdin=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data
    assert transcript.stat().st_size == 2 * len(data), "both directions"


def test_a_script(echo: RunningDatagrams) -> None:
    steps = ("--send", "hello", "--expect", "^hello$", "--send", "", "--expect", "^$")
    done = sockctl("connect", f"udp://127.0.0.1:{echo.port}", *steps)
    assert (done.returncode, done.stdout) == (0, b"hello\n\n")
    missed = sockctl("connect", f"udp://127.0.0.1:{echo.port}", "--send", "a", "--expect", "b", "-w", "300ms")
    assert missed.returncode == ExitCode.UNEXPECTED


def test_repetitions_disorder_and_answers_of_another_kind() -> None:
    with answering([], [b"two", b"one", b"two"]) as port:
        done = sockctl("connect", f"udp://127.0.0.1:{port}", "-v", "--json", "--quit-after", "3s", stdin=b"one\ntwo\n")
    account = json.loads(done.stderr.splitlines()[-1])
    assert (account["answered"], account["out_of_order"], account["duplicates"], account["lost"]) == (2, 1, 1, 0)
    assert "2 answered, 0 lost, 1 out of order, 1 twice." in account["text"]
    with answering([b"yes"]) as port:
        done = sockctl("connect", f"udp://127.0.0.1:{port}", "-v", stdin=b"is it?\n")
    assert done.stdout == b"yes\n"
    assert b"No answer was a datagram of the client's own" in done.stderr


def test_no_answer_in_time() -> None:
    with answering([b"a"], []) as port:
        done = sockctl("connect", f"udp://127.0.0.1:{port}", "--timeout", "2s", stdin=b"a\nb\n")
    assert done.returncode == ExitCode.TIMED_OUT
    assert (done.stdout, done.stderr) == (
        b"a\n",
        b"sockctl: 1 datagram of 2 got no answer within 2 s (--timeout).\n",
    )


@pytest.mark.parametrize("options", [(), ("--send", "x", "--expect", "x"), ("--send-only",), ("--quit-after", "1s")])
def test_a_refusal(options: tuple[str, ...], closed_port: int) -> None:
    done = sockctl("connect", f"udp://127.0.0.1:{closed_port}", *options, stdin=b"x\n")
    assert done.returncode == ExitCode.UNREACHABLE
    assert f"127.0.0.1:{closed_port} refused: nothing listens for datagrams on that port".encode() in done.stderr


def test_a_line_that_is_too_long(echo: RunningDatagrams) -> None:
    done = sockctl("connect", f"udp://127.0.0.1:{echo.port}", stdin=b"fine\n" + b"x" * 65_508 + b"\n")
    assert done.returncode == ExitCode.FAILED
    assert b"Line 2 of the input has 65,508 bytes, and a datagram has room for 65,507" in done.stderr
    whole = sockctl("connect", f"udp://127.0.0.1:{echo.port}", stdin=b"x" * 65_507)
    assert whole.stdout == b"x" * 65_507 + b"\n"


def test_a_person(terminal: Any, echo: RunningDatagrams) -> None:
    child = terminal("connect", f"udp://127.0.0.1:{echo.port}")
    child.expect("datagrams_opened.*whether a server is there, only its first answer will tell")
    child.expect("'exit' or Ctrl-D ends")
    child.sendline("hello")
    child.expect("datagram_sent.*Sent a datagram of 5 bytes")
    child.expect("datagram_received.*Received a datagram of 5 bytes")
    child.expect("hello\r\n")
    child.sendline("")
    child.expect("Received an empty datagram")
    child.sendline("exit")
    child.expect("You ended the session after .*2 answered, 0 lost")
    assert ended(child) == 0


def test_a_person_is_told_of_a_refusal_and_may_go_on(terminal: Any, closed_port: int) -> None:
    child = terminal("connect", f"udp://127.0.0.1:{closed_port}")
    child.expect("'exit' or Ctrl-D ends")
    child.sendline("hello")
    child.expect("datagram_refused.*refused a datagram: nothing listens on that port.*ECONNREFUSED")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", closed_port))
        server.settimeout(TIMEOUT_S)
        child.sendline("again")
        data, address = server.recvfrom(100)
        server.sendto(data, address)
        child.expect("Received a datagram of 5 bytes")
        child.sendline("exit")
        assert ended(child) == 0


THEIRS = {
    "socat": ("socat", ["UDP-RECVFROM:PORT,fork", "EXEC:cat"]),
    "ncat": ("ncat", ["-u", "-l", "-k", "-e", "/bin/cat", "127.0.0.1", "PORT"]),
}


@pytest.mark.parametrize("name", THEIRS)
def test_their_servers(name: str) -> None:
    package, words = THEIRS[name]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [tool(name, package), *(word.replace("PORT", port) for word in words)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as they:
        try:
            until = time.monotonic() + TIMEOUT_S
            while True:  # they say nothing when they listen
                done = sockctl("connect", f"udp://127.0.0.1:{port}", "--send", "hello", "--expect", "hello")
                if done.returncode != ExitCode.UNREACHABLE or time.monotonic() > until:
                    break
            assert (done.returncode, done.stdout) == (0, b"hello\n")
        finally:
            they.kill()


WRONG = [
    (["--tls"], "TLS needs the ordered stream of TCP"),
    (["--read-size", "9"], "--read-size means nothing with udp://: a datagram is received whole"),
    (["--retry", "3"], "--retry means nothing with udp://"),
    (["--reconnect"], "--reconnect means nothing with udp://"),
    (["--user", "ann"], "--user means nothing with udp://"),
    (["--binary"], "--datagram-size BYTES cuts blocks instead"),
    (["--crlf", "--datagram-size", "9"], "--crlf is for lines"),
    (["-z"], "UDP has none"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_options_that_mean_nothing(options: list[str], said: str) -> None:
    done = sockctl("connect", "udp://localhost:9", *options)
    assert done.returncode == ExitCode.USAGE
    assert said in " ".join(done.stderr.decode().split())


def test_an_option_and_steps_that_are_for_others(tmp_path: Path) -> None:
    done = sockctl("connect", "localhost:9", "--datagram-size", "9")
    assert done.returncode == ExitCode.USAGE
    assert b"--datagram-size is for datagrams: write udp://HOST:PORT." in done.stderr
    steps = tmp_path / "steps"
    steps.write_text("send x\nwait\n")
    done = sockctl("connect", "udp://localhost:9", "--script", str(steps))
    assert done.returncode == ExitCode.USAGE
    assert b"UDP has no connection" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_a_network_that_delays_and_loses() -> None:
    """What the client calls lost is what did not come: all numbers add up, and none came twice."""
    count = 400
    try:
        with two_hosts(Line(round_trip_ms=30, loss=0.05)), datagrams(host=SERVER) as run:
            lines = b"".join(b"%d\n" % number for number in range(count))
            target = f"udp://{SERVER}:{run.port}"
            done = sockctl("connect", target, "-v", "--json", "--timeout", "4s", stdin=lines)
            account = json.loads(done.stderr.splitlines()[-2])
            heard = run.server.count().datagrams_in
    except UnavailableError as error:
        unavailable(str(error))
    assert done.returncode == ExitCode.TIMED_OUT
    assert account["sent"] == count == account["answered"] + account["lost"]
    assert 0 < account["lost"] < count / 2
    assert account["answered"] <= heard < count
    assert len(done.stdout.splitlines()) == account["received"] == account["answered"] + account["late"]
    assert account["duplicates"] == 0
