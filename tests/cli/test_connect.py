"""`connect` in a pipe, as a process: what it prints, and how it ends."""

import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.processes import Popen
from tests.support.running import CLOSED_PORT, SOCKCTL, TIMEOUT_S, UNMEASURED, echo_process, receive_all, sockctl


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with echo_process() as (_, port):
        yield str(port)


class OneShot:
    """A server for one client, scripted by the test."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT_S)
        self.port = str(self._listener.getsockname()[1])
        self._script = script
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        sock, _ = self._listener.accept()
        sock.settimeout(TIMEOUT_S)
        with sock:
            self._script(sock)

    def __enter__(self) -> "OneShot":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(TIMEOUT_S)
        self._listener.close()


def test_the_readmes_line(echo: str) -> None:
    done = sockctl("connect", "localhost", echo, stdin=b"abc")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"abc", b"")


@pytest.mark.parametrize(
    "target", [["127.0.0.1:{}"], ["tcp://127.0.0.1:{}"], ["127.0.0.1", "{}"], ["localhost:{}", "-4"]]
)
def test_targets(target: list[str], echo: str) -> None:
    done = sockctl("connect", *[word.format(echo) for word in target], stdin=b"abc")
    assert (done.returncode, done.stdout) == (0, b"abc")


def test_ipv6_target() -> None:
    with echo_process("--host", "::1") as (_, port):
        for target in (["::1", str(port)], [f"[::1]:{port}"], [f"tcp://[::1]:{port}", "-6"]):
            assert sockctl("connect", *target, stdin=b"six").stdout == b"six"


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_any_size_and_any_byte(size: int, echo: str) -> None:
    data = random.Random(size).randbytes(size)
    done = sockctl("connect", "127.0.0.1", echo, stdin=data)
    assert done.returncode == 0
    assert done.stdout == data


def test_input_from_a_file(echo: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    data = random.Random(7).randbytes(500_000)
    path.write_bytes(data)
    with path.open("rb") as file:
        run = Popen([*SOCKCTL, "connect", "127.0.0.1", echo], stdin=file, stdout=subprocess.PIPE)
    output, _ = run.communicate(timeout=60)
    assert output == data


def test_an_answer_that_comes_late_is_printed() -> None:
    def late(sock: socket.socket) -> None:
        question = receive_all(sock)
        time.sleep(0.5)  # that the answer is late is what is tested
        sock.sendall(b"late answer to " + question)

    with OneShot(late) as server:
        done = sockctl("connect", "127.0.0.1", server.port, stdin=b"question")
    assert (done.returncode, done.stdout) == (0, b"late answer to question")


def test_quit_after() -> None:
    left = threading.Event()
    has_left: list[bool] = []

    def silent(sock: socket.socket) -> None:
        assert receive_all(sock) == b"x"
        has_left.append(left.wait(TIMEOUT_S))

    with OneShot(silent) as server:
        done = sockctl("connect", "127.0.0.1", server.port, "--quit-after", "0.3", stdin=b"x")
        left.set()
    assert done.returncode == 0
    assert has_left == [True], "the client did not wait for the server's end"


def test_events_with_verbose_on_stderr_only(echo: str) -> None:
    done = sockctl("connect", "127.0.0.1", echo, "-v", stdin=b"abc")
    assert done.stdout == b"abc"
    told = re.findall(r"^\d\d:\d\d:\d\d (\w+)", done.stderr.decode(), re.MULTILINE)
    assert [name for name in told if name != "input_ended"] == [
        "connecting",
        "connected",
        "data_sent",
        "data_received",
        "disconnected",
    ]
    assert b"3 bytes sent and 3 bytes received" in b" ".join(done.stderr.split())


def test_busy_events_add_up(echo: str) -> None:
    data = b"d" * 20_000_000
    done = sockctl("connect", "127.0.0.1", echo, "-v", stdin=data)
    assert done.stdout == data
    assert done.stderr.count(b"data_received") < 50
    assert b"19.1 MiB sent and 19.1 MiB received" in done.stderr


def test_text_from_the_server_is_untouched_in_a_pipe() -> None:
    evil = b"\x1b[31m\xff\x00\r\n\xe2\x80\xae"
    with OneShot(lambda sock: sock.sendall(evil)) as server:
        done = sockctl("connect", "127.0.0.1", server.port)
    assert done.stdout == evil


def test_crlf(echo: str) -> None:
    assert sockctl("connect", "127.0.0.1", echo, "--crlf", stdin=b"a\nb\r\n").stdout == b"a\r\nb\r\n"


def test_hex(echo: str) -> None:
    done = sockctl("connect", "127.0.0.1", echo, "--hex", stdin=b"abc\n")
    assert done.stdout.decode().splitlines() == [
        "> 00000000  61 62 63 0a                                       |abc.|",
        "< 00000000  61 62 63 0a                                       |abc.|",
    ]


def test_head_ends_it_quietly(echo: str) -> None:
    command = f"yes | {' '.join(SOCKCTL)} connect 127.0.0.1 {echo} | head -1"
    done = subprocess.run(
        ["bash", "-c", f"{command}; echo ${{PIPESTATUS[1]}}"], capture_output=True, timeout=60, check=False
    )
    assert done.stdout == b"y\n0\n"
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_output_that_is_full(echo: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = sockctl("connect", "127.0.0.1", echo, stdin=b"abc", stdout=full)
    assert done.returncode == ExitCode.FAILED
    assert b"Standard output can't be written: No space left on device" in done.stderr


def test_output_that_is_closed(echo: str) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *SOCKCTL, "connect", "127.0.0.1", echo]
    done = subprocess.run(command, input=b"abc", stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == ExitCode.FAILED
    assert b"Standard output can't be written" in done.stderr


def test_refused() -> None:
    done = sockctl("connect", "127.0.0.1", str(CLOSED_PORT), stdin=b"x")
    assert done.returncode == ExitCode.UNREACHABLE
    assert b"connection refused" in done.stderr
    assert done.stdout == b""


def test_retry_says_so() -> None:
    done = sockctl("connect", "127.0.0.1", str(CLOSED_PORT), "--retry", "1", "-v")
    assert done.returncode == ExitCode.UNREACHABLE
    assert b"Trying again in 0.5 s (1 left)" in done.stderr


def test_timed_out() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
        done = sockctl("connect", "127.0.0.1", str(server.getsockname()[1]), "--timeout", "0.3")
        for sock in waiting:
            sock.close()
    assert done.returncode == ExitCode.TIMED_OUT
    assert b"did not answer" in done.stderr


def test_reset() -> None:
    def reset(sock: socket.socket) -> None:
        sock.recv(100)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with OneShot(reset) as server:
        done = sockctl("connect", "127.0.0.1", server.port, "-v", stdin=b"x")
    assert done.returncode == ExitCode.BROKEN
    assert b"broke the connection off (RST)" in done.stderr
    assert b"sockctl: The connection broke" in done.stderr


def test_interrupted(echo: str) -> None:
    run = Popen(
        [*SOCKCTL, "connect", "127.0.0.1", echo, "-v"],
        stdin=subprocess.PIPE,
        env=UNMEASURED,  # an interrupt in coverage's own code can leave its lock taken
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with run:
        assert run.stdin is not None
        assert run.stderr is not None
        run.stdin.write(b"in the middle")
        run.stdin.flush()
        while b"data_received " not in run.stderr.readline():
            pass
        run.send_signal(signal.SIGINT)
        rest = run.stderr.read()
        assert run.wait(TIMEOUT_S) == ExitCode.INTERRUPTED
    assert b"Interrupted" in rest
    assert b"Traceback" not in rest


def test_interrupted_while_connecting() -> None:
    run = Popen(
        [*SOCKCTL, "connect", "127.0.0.1", str(CLOSED_PORT), "--retry", "100", "-v"],
        stdin=subprocess.DEVNULL,
        env=UNMEASURED,  # an interrupt in coverage's own code can leave its lock taken
        stderr=subprocess.PIPE,
    )
    with run:
        assert run.stderr is not None
        while b"retrying" not in run.stderr.readline():
            pass
        run.send_signal(signal.SIGINT)
        rest = run.stderr.read()
        assert run.wait(TIMEOUT_S) == ExitCode.INTERRUPTED
    assert b"Traceback" not in rest


def test_a_pipe_loads_only_what_it_needs(echo: str) -> None:
    code = (
        "import sys; from sockctl.cli.app import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(*sorted({'json', 'prompt_toolkit', 'termios', 'rich', 'argon2', 'sockctl.protocol.messages'} & "
        "set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "connect", "127.0.0.1", echo]
    done = subprocess.run(command, input=b"abc", capture_output=True, timeout=60, check=False, env=UNMEASURED)
    assert (done.stdout, done.stderr) == (b"abc", b"\n")
