"""A program for each client: how it starts, what it knows, its limits, and how it ends with its server."""

import contextlib
import errno
import os
import resource
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from sockctl.net.limits import Limits
from sockctl.services.exec import HTTP_REFUSED, PROGRAM_FAILED, Exec
from sockctl.services.program_slots import BUSY
from tests.support.other_user import as_other_user, needs_root
from tests.support.programs import (
    ENDED_BY_SERVER,
    ENVIRONMENT,
    NEVER_READS,
    PATIENT,
    REQUEST,
    ended,
    python,
    reason,
    serving,
    sh,
)
from tests.support.running import (
    TIMEOUT_S,
    receive_all,
    receive_exactly,
    running,
    send_and_half_close,
    wait_until,
)


def test_the_limit_of_programs_is_told_to_client_and_operator() -> None:
    with serving("cat", max_programs=1) as run:
        with run.client() as first:
            first.sendall(b"a")
            receive_exactly(first, 1)
            assert run.service.count() == {"programs": 1}
            with run.client() as second:
                assert receive_all(second) == b"sockctl: all programs are busy, come back later\r\n"
            assert run.sink.wait_for("programs_busy")[0].max_programs == 1
            assert reason(run) is BUSY
        ended(run)
        run.sink.wait_for("client_disconnected", 2)
        with run.client() as third:
            third.sendall(b"b")
            assert receive_exactly(third, 1) == b"b"


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    with serving(str(tmp_path / "missing")) as run, run.client() as sock:
        assert receive_all(sock) == b""
        assert (ended(run).pid, ended(run).how) == (0, "No such file or directory")
        assert reason(run) is PROGRAM_FAILED
        assert run.service.count() == {"programs": 0}


def test_a_system_without_processes_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with serving("cat") as run:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", refuse)
            with run.client() as sock:
                assert receive_all(sock) == b""
        assert ended(run).how == "Resource temporarily unavailable"
        with run.client() as sock:
            sock.sendall(b"again")
            assert receive_exactly(sock, 5) == b"again"


@needs_root
def test_a_user_who_may_have_no_more_processes() -> None:
    """As a user to whom the kernel gives no fork(), since root always gets one."""

    def serve() -> str:
        start = subprocess.Popen

        def start_at_the_limit(*arguments: Any, **options: Any) -> Any:
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            return start(*arguments, **options)

        with pytest.MonkeyPatch.context() as patch, serving("/bin/cat") as run:
            patch.setattr(subprocess, "Popen", start_at_the_limit)
            with run.client() as sock:
                receive_all(sock)
            return str(run.sink.wait_for("program_ended")[0].how)

    assert as_other_user(serve) == "Resource temporarily unavailable"


def test_a_system_without_descriptors_left() -> None:
    with serving("cat") as run:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with run.client() as sock:
            sock.sendall(b"first")
            receive_exactly(sock, 5)
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 3, hard))  # noqa: PTH208
            try:
                with contextlib.suppress(OSError), run.client() as second:
                    second.settimeout(1)
                    second.recv(1)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            sock.sendall(b"unhurt")
            assert receive_exactly(sock, 6) == b"unhurt"


def test_no_descriptor_is_left() -> None:
    with serving(*sh("cat; echo oops >&2"), patience=PATIENT) as run:

        def once(count: int) -> None:
            with run.client() as sock:
                send_and_half_close(sock, b"x")
                assert receive_all(sock) == b"x"
            ended(run, count)
            run.sink.wait_for("client_disconnected", count)

        once(1)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for count in range(2, 6):
            once(count)
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)  # noqa: PTH208


def test_a_program_knows_its_client_and_no_secret_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hidden")
    with serving("env") as run, run.client() as sock:
        told = dict(line.split("=", 1) for line in receive_all(sock).decode().split())
        host, port = sock.getsockname()
        assert {name: value for name, value in told.items() if name.startswith("SOCKCTL")} == {
            "SOCKCTL_CONNECTION": "1",
            "SOCKCTL_PEER": f"{host}:{port}",
            "SOCKCTL_PEER_HOST": host,
            "SOCKCTL_PEER_PORT": str(port),
        }
        assert "A_SECRET" not in told


@pytest.mark.parametrize("drain_s", [0.3, 1.2])
def test_the_stop_waits_for_no_program_for_ever(drain_s: float) -> None:
    """One that writes without end, or that heeds no signal: both end with the drain at last."""
    code = "import signal, os\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile 1: os.write(1, b'x' * 999)"
    with serving(*python(code)) as run, run.client() as sock:
        receive_exactly(sock, 1)
        if drain_s < 1:
            reader = threading.Thread(target=receive_all, args=(sock,))
            reader.start()
        run.stop(drain_s)
        ended(run)
        assert run.service.count() == {"programs": 0}
        if drain_s < 1:
            reader.join(TIMEOUT_S)


def test_a_server_that_leaves_at_once_kills_its_programs() -> None:
    with serving(*python(NEVER_READS), patience=PATIENT) as run, run.client() as sock:
        receive_exactly(sock, 2)
        run.server.abandon()
        assert ended(run).how == ENDED_BY_SERVER


def test_many_clients_at_once() -> None:
    with (
        serving("cat", max_programs=20, patience=PATIENT, limits=Limits(max_clients_per_address=100)) as run,
        contextlib.ExitStack() as stack,
    ):
        socks = [stack.enter_context(run.client()) for _ in range(20)]
        for number, sock in enumerate(socks):
            send_and_half_close(sock, b"%d" % number)
        assert [receive_all(sock) for sock in socks] == [b"%d" % number for number in range(20)]
        run.sink.wait_for("program_ended", 20)


@pytest.mark.parametrize("request_", [REQUEST, b"GET /$(evil)", b"BREW /pot HTTP/1.1\r\n\r\n"])
def test_a_web_page_cannot_use_the_program(request_: bytes) -> None:
    with serving("cat", patience=PATIENT) as run, run.client() as sock:
        sock.sendall(request_)
        head, _, body = receive_all(sock).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert body.startswith(b"sockctl: This is an HTTP request, and no HTTP server")
        assert run.sink.wait_for("protocol_broken")[0].code == "http"
        assert reason(run) is HTTP_REFUSED
        assert ended(run).bytes_in == 0


def test_a_request_cut_into_single_bytes_is_refused_too() -> None:
    with serving("cat", patience=PATIENT, hold_s=TIMEOUT_S) as run, run.client() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"BREW /pot HTTP/1.1\r\n":
            sock.sendall(bytes([byte]))
        assert receive_all(sock).startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert reason(run) is HTTP_REFUSED
        assert ended(run).bytes_in == 0


def test_first_bytes_that_may_begin_a_request_are_not_held_for_long() -> None:
    with serving("cat", patience=PATIENT) as run, run.client() as sock:
        sock.sendall(b"GET")
        assert receive_exactly(sock, 3) == b"GET"
        sock.sendall(b" / HTTP/1.1\r\n")
        assert receive_exactly(sock, 13) == b" / HTTP/1.1\r\n"
        assert not run.sink.named("protocol_broken")


def test_the_end_of_the_input_lets_first_bytes_through() -> None:
    with serving("cat", patience=PATIENT) as run, run.client() as sock:
        send_and_half_close(sock, b"GET")
        assert receive_all(sock) == b"GET"
        assert ended(run).how == "exit code 0"


def test_a_stop_lets_first_bytes_through() -> None:
    with serving("cat", patience=PATIENT) as run, run.client() as sock:
        run.sink.wait_for("program_started")
        sock.sendall(b"GET")
        run.stop()
        assert receive_all(sock) == b"GET"


def test_a_web_page_gets_a_line_behind_what_the_program_has_said() -> None:
    with serving(*sh("printf 'hello\\r\\n'; cat"), patience=PATIENT) as run, run.client() as sock:
        assert receive_exactly(sock, 7) == b"hello\r\n"
        sock.sendall(REQUEST)
        assert receive_all(sock).startswith(b"sockctl: This is an HTTP request, and no HTTP server")
        assert reason(run) is HTTP_REFUSED


def test_a_user_may_let_requests_in() -> None:
    service = Exec(["cat"], environment=ENVIRONMENT, max_programs=1, patience=PATIENT, http=True)
    with running(service) as run, run.client() as sock:
        send_and_half_close(sock, REQUEST)
        assert receive_all(sock) == REQUEST
