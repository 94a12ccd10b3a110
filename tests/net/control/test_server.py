"""The server's side of a control socket: answers, and what it doesn't put up with."""

import json
import select
import selectors
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sockctl.net.control.server import ControlLimits, ControlServer
from sockctl.net.control.socket_file import open_at
from tests.support.control import asker, control_server, make_status
from tests.support.other_user import as_other_user, needs_root
from tests.support.running import TIMEOUT_S, receive_all, wait_until

ASK = b"status\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a"


def read_answer(sock: socket.socket) -> list[dict[str, Any]]:
    """Return the lines of an answer, up to its end."""
    lines: list[dict[str, Any]] = []
    with sock.makefile("rb") as file:
        while not lines or lines[-1]["kind"] not in {"end", "error", "stopped"}:
            lines.append(json.loads(file.readline()))
    return lines


def error_of(sock: socket.socket) -> str:
    """Return the error with which the server closes."""
    (line,) = receive_all(sock).splitlines()
    fields = json.loads(line)
    assert fields["kind"] == "error"
    return str(fields["text"])


def test_an_answer_and_another_one(path: Path) -> None:
    with control_server(path), asker(path) as sock:
        for _ in range(3):
            sock.sendall(ASK)
            assert read_answer(sock) == make_status()


def test_questions_in_pieces_and_several_at_once(path: Path) -> None:
    with control_server(path), asker(path) as sock:
        for piece in (b"sta", b"tus", b"\n"):
            sock.sendall(piece)
        assert read_answer(sock)[-1]["kind"] == "end"
        sock.sendall(ASK * 3)
        assert read_answer(sock)[-1]["kind"] == "end"
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(1)


@pytest.mark.parametrize(
    "rubbish", [b"hello\n", b"\n", b"x" * 64, b"\xff\x00\n", b"status\nstop\n", b"GET / HTTP/1.1\r\n"]
)
def test_rubbish_ends_the_connection_and_nothing_else(path: Path, rubbish: bytes) -> None:
    with control_server(path), asker(path) as polite:
        with asker(path) as sock:
            sock.sendall(rubbish)
            assert error_of(sock) == "A question is the line 'status'."
        polite.sendall(ASK)
        assert read_answer(polite)[-1]["kind"] == "end"


def test_one_that_reads_nothing_is_put_out_and_keeps_nobody_waiting(path: Path) -> None:
    status = make_status(1_000)
    with control_server(path, lambda: status, ControlLimits(read_s=3.0)), asker(path) as slow, asker(path) as quick:
        slow.sendall(ASK)
        for _ in range(2):
            quick.sendall(ASK)
            assert len(read_answer(quick)) == 1_002
        poll = select.poll()
        poll.register(slow, 0)
        assert poll.poll(TIMEOUT_S * 1000), "the server has closed"
        assert b'"kind":"end"' not in receive_all(slow)


def test_one_that_says_nothing_is_put_out(path: Path) -> None:
    with control_server(path, limits=ControlLimits(quiet_s=0.1)), asker(path) as sock:
        assert receive_all(sock) == b""


def test_too_many(path: Path) -> None:
    with control_server(path, limits=ControlLimits(askers=2)), asker(path) as first, asker(path) as second:
        for sock in (first, second):
            sock.sendall(ASK)
            read_answer(sock)
        with asker(path) as third:
            assert error_of(third) == "2 others ask this server already: close one of them."
        first.close()

        def may_ask() -> bool:
            with asker(path) as again:
                try:
                    again.sendall(ASK)
                    return bool(read_answer(again)[0]["kind"] == "server")
                except (BrokenPipeError, ConnectionResetError):  # it was refused, and the connection closed, at once
                    return False

        wait_until(may_ask)


def test_all_who_wait_get_the_same_answer_and_it_takes_its_time(path: Path) -> None:
    calls: list[float] = []

    def read_status() -> list[dict[str, Any]]:
        calls.append(time.monotonic())
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return make_status(accepted=len(calls))

    with (
        control_server(path, read_status, ControlLimits(busy_share=0.007, idle_share=0.007)),
        asker(path) as first,
        asker(path) as second,
        asker(path) as third,
    ):
        for number in (1, 2):
            first.sendall(ASK)
            assert read_answer(first)[0]["accepted"] == number
        for sock in (second, third):  # both within the time that the answer takes
            sock.sendall(ASK)
        assert [read_answer(sock)[0]["accepted"] for sock in (second, third)] == [3, 3]
    assert len(calls) == 3
    assert calls[2] - calls[1] >= 2.5, "its share of the time"


def test_a_defect_is_told_and_ends_nothing(path: Path) -> None:
    answers: Iterator[bool] = iter((False, True))

    def read_status() -> list[dict[str, Any]]:
        if not next(answers):
            raise KeyError("secret")
        return make_status()

    with control_server(path, read_status), asker(path) as sock:
        sock.sendall(ASK)
        (error,) = read_answer(sock)
        assert error == {"kind": "error", "text": "The server failed to answer: KeyError."}
        sock.sendall(ASK)
        assert read_answer(sock)[-1]["kind"] == "end"


def test_a_stopping_server_says_goodbye_to_all(path: Path) -> None:
    with control_server(path) as server, asker(path) as sock:
        sock.sendall(ASK)
        read_answer(sock)
        with asker(path) as silent:
            silent.sendall(ASK)
            read_answer(silent)
            server.stop()
            for one in (sock, silent):
                assert receive_all(one) == b'{"kind":"stopped"}\n'
    assert not path.exists()


def test_a_stopping_server_finishes_no_answer(path: Path) -> None:
    begun = threading.Event()

    def read_status() -> Iterator[dict[str, Any]]:
        begun.set()
        while True:
            time.sleep(0.001)
            yield {"kind": "connection"}

    with control_server(path, read_status) as server, asker(path) as sock:
        sock.sendall(ASK)
        assert begun.wait(TIMEOUT_S)
        server.stop()
        assert receive_all(sock) == b'{"kind":"stopped"}\n'


def test_a_stopping_server_says_goodbye_in_the_middle_of_an_answer(path: Path) -> None:
    status = make_status(5_000)
    with (
        control_server(path, lambda: status, ControlLimits(goodbye_s=TIMEOUT_S)) as server,
        asker(path) as sock,
        ThreadPoolExecutor(1) as others,
    ):
        sock.sendall(ASK)
        begin = sock.recv(1)
        stopping = others.submit(server.stop)
        wait_until(lambda: not path.exists())
        lines = (begin + receive_all(sock)).splitlines()
        stopping.result()
    assert json.loads(lines[-1]) == {"kind": "stopped"}
    assert [json.loads(line) for line in lines[:-1]] == status[: len(lines) - 1]


def test_a_stopping_server_waits_for_none_that_reads_nothing(path: Path) -> None:
    status = make_status(5_000)
    with control_server(path, lambda: status, ControlLimits(goodbye_s=0.01)) as server, asker(path) as sock:
        sock.sendall(ASK)
        assert sock.recv(1)
        server.stop()
        assert b"stopped" not in receive_all(sock)


@pytest.mark.parametrize(
    ("place", "name", "error"),
    [
        (threading.Thread, "start", RuntimeError("no thread is left")),
        (socket, "socketpair", OSError("no descriptor")),
        (selectors, "DefaultSelector", OSError("no descriptor")),
    ],
)
def test_a_server_that_cant_start_leaves_no_socket(
    path: Path, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, error: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise error

    listener = open_at(path)
    monkeypatch.setattr(place, name, fail)
    with pytest.raises(type(error)):
        ControlServer(listener, make_status).start()
    assert not path.exists()


def test_the_file_alone_is_removed(path: Path) -> None:
    with control_server(path) as server, asker(path) as sock:
        server.abandon()
        assert not path.exists()
        sock.sendall(ASK)
        assert read_answer(sock)[-1]["kind"] == "end"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the processor time from /proc")
def test_the_thread_sleeps_while_nobody_asks(path: Path) -> None:
    with control_server(path, limits=ControlLimits(pause_s=0.001)), asker(path) as sock:
        sock.sendall(ASK)
        read_answer(sock)
        (thread,) = (one for one in threading.enumerate() if one.name == "sockctl-control")
        before = count_switches(thread)
        time.sleep(0.3)
        assert count_switches(thread) - before <= 10, "it would wake up each millisecond"


def count_switches(thread: threading.Thread) -> int:
    """Return how often a thread has begun to wait."""
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("voluntary_ctxt_switches"))
    return int(line.split()[1])


@needs_root
@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_another_user_may_not_ask() -> None:
    """The mode of the file lets no other user in; where it is opened wide, the server still refuses."""
    with tempfile.TemporaryDirectory() as folder, control_server(Path(folder) / "a"):
        Path(folder).chmod(0o755)

        def ask() -> str:
            with asker(Path(folder) / "a") as sock:
                return receive_all(sock).decode()

        assert "PermissionError" in as_other_user(ask)
        (Path(folder) / "a").chmod(0o666)
        assert "Only the user whose server it is may ask it, and root." in as_other_user(ask)
