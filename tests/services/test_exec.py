"""A program for each client: bytes both ways, half-closes, and every way in which one of the two ends."""

import contextlib
import errno
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.limits import Limits, Timeouts
from sockctl.services.exec import PROGRAM_FAILED, Exec
from sockctl.services.program import Patience
from sockctl.services.program_reply import PROGRAM_ENDED
from sockctl.services.program_slots import BUSY
from tests.support.other_user import as_other_user, needs_root
from tests.support.running import (
    LINGER_S,
    TIMEOUT_S,
    Running,
    receive_all,
    receive_exactly,
    running,
    send_and_half_close,
    wait_until,
)

QUICK = Patience(end_s=0.05, terminate_s=0.1, last_output_s=0.1)
PATIENT = Patience(end_s=TIMEOUT_S, terminate_s=TIMEOUT_S, last_output_s=TIMEOUT_S)
ENDED_BY_SERVER = "the server ended it with its connection"
NEVER_READS = "import os; os.write(1, b'up'); import time; time.sleep(60)"


@contextlib.contextmanager
def serving(
    *argv: str, max_programs: int = 4, patience: Patience = QUICK, idle_s: float | None = None, **options: Any
) -> Iterator[Running]:
    environment = {"PATH": os.environ["PATH"]}
    service = Exec(argv, environment=environment, max_programs=max_programs, patience=patience)
    with running(service, timeouts=Timeouts(linger_s=LINGER_S, idle_s=idle_s), **options) as run:
        yield run


def sh(script: str) -> tuple[str, ...]:
    return "sh", "-c", script


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", code


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def exists(pid: int) -> bool:
    """Return whether a process runs; one that nobody has waited for has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def group_is_empty(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def ended(run: Running, count: int = 1) -> Any:
    """Return the event that the last program has ended, once its whole group has."""
    event = run.sink.wait_for("program_ended", count)[-1]
    if event.pid:
        wait_until(lambda: group_is_empty(event.pid), what="the end of the process group")
    return event


def reason(run: Running, count: int = 1) -> Any:
    return run.sink.wait_for("client_disconnected", count)[-1].reason


def test_bytes_pass_unchanged_and_both_half_closes_too() -> None:
    data = os.urandom(3_000_000)
    with serving("cat", patience=PATIENT) as run, run.client() as sock:
        sender = threading.Thread(target=send_and_half_close, args=(sock, data))
        sender.start()
        assert receive_all(sock) == data
        sender.join()
        event = ended(run)
        assert (event.how, event.bytes_in, event.bytes_out) == ("exit code 0", len(data), len(data))
        disconnected = run.sink.wait_for("client_disconnected")[0]
        assert (disconnected.bytes_in, disconnected.bytes_out) == (len(data), len(data))
        assert disconnected.reason is DisconnectReason.CLIENT_CLOSED


def test_a_program_may_speak_first() -> None:
    with serving(*sh("printf '\\000\\377hello'; cat")) as run, run.client() as sock:
        assert receive_exactly(sock, 7) == b"\x00\xffhello"


def test_the_client_may_go_on_when_the_program_has_ended_its_output() -> None:
    script = "echo first; exec >&-; cat >&2"
    with serving(*sh(script), patience=PATIENT) as run, run.client() as sock:
        assert receive_all(sock) == b"first\n"
        send_and_half_close(sock, b"still heard\n")
        assert run.sink.wait_for("program_warned")[0].said == "still heard"
        assert ended(run).how == "exit code 0"


def test_the_program_may_go_on_when_the_client_has_ended_its_input() -> None:
    script = "cat >&2; sleep 0.3; echo later"
    with serving(*sh(script), patience=QUICK) as run, run.client() as sock:
        send_and_half_close(sock, b"all\n")
        assert receive_all(sock) == b"later\n"
        assert ended(run).how == "exit code 0"


def test_the_end_of_the_program_ends_the_connection() -> None:
    with serving(*sh('read line; echo "<$line>"; exit 3')) as run, run.client() as sock:
        sock.sendall(b"go\n")
        assert receive_all(sock) == b"<go>\n"
        assert ended(run).how == "exit code 3"
        assert reason(run) is PROGRAM_ENDED


def test_a_program_that_dies_at_once() -> None:
    with serving(*sh("kill -9 $$")) as run, run.client() as sock:
        assert receive_all(sock) == b""
        assert ended(run).how == "killed by SIGKILL"


def test_all_output_reaches_a_client_that_reads_late() -> None:
    with serving("head", "-c", "300000", "/dev/zero") as run, run.client() as sock:
        ended(run)
        assert len(receive_all(sock)) == 300_000


def test_a_child_that_holds_the_output_does_not_hold_the_connection() -> None:
    """Nor does it live longer than the program, though it heeds no SIGTERM."""
    script = "(trap '' TERM; echo child; sleep 60) & sleep 0.1; echo parent"
    with serving(*sh(script)) as run, run.client() as sock:
        assert receive_all(sock).split() == [b"child", b"parent"]
        assert ended(run).how == "exit code 0"


def test_a_child_that_has_left_the_group_does_not_hold_the_connection(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import os, time\n"
        "if os.fork(): time.sleep(0.2)\n"
        "else:\n"
        f"    os.setsid(); open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)\n"
    )
    with serving(*python(code)) as run, run.client() as sock:
        assert receive_all(sock) == b""
        assert ended(run).how == "exit code 0"
        wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
        os.kill(int(pid_file.read_text()), signal.SIGKILL)  # no server can know it


@pytest.mark.parametrize("how", ["reset", "reset while it doesn't read", "idle"])
def test_a_program_that_never_reads_and_heeds_no_signal_ends_with_its_connection(how: str) -> None:
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{NEVER_READS}"
    with serving(*python(code), idle_s=1.0 if how == "idle" else None) as run, run.client() as sock:
        assert receive_exactly(sock, 2) == b"up"
        if how == "reset while it doesn't read":
            sock.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                sock.sendall(bytes(50_000_000))
        if how != "idle":
            reset(sock)
        assert ended(run).how == ENDED_BY_SERVER
        assert reason(run) is (DisconnectReason.IDLE_TIMEOUT if how == "idle" else DisconnectReason.CLIENT_RESET)


def test_output_without_end_waits_for_the_client() -> None:
    """Neither the server nor the program takes memory for it."""
    with serving("cat", "/dev/zero") as run, run.client() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        process = run.sink.wait_for("program_started")[0].pid
        before = -1
        while before != (now := int(Path(f"/proc/{process}/io").read_text().split("wchar: ")[1].split()[0])):
            before = now
            time.sleep(0.3)
        connection = run.server.inspect()[0]
        assert connection is not None
        assert before < 20_000_000, "it goes on writing though nobody reads"
        assert len(receive_exactly(sock, 1_000_000)) == 1_000_000
        reset(sock)
        event = ended(run)
        assert event.how == ENDED_BY_SERVER
        assert event.bytes_out >= 1_000_000


def test_a_client_that_sends_first_and_reads_late_blocks_nobody() -> None:
    """The program's output waits, while its input still comes."""
    code = "import sys, os\nos.write(1, bytes(65536))\nos.write(2, b'%d\\n' % len(sys.stdin.buffer.read()))\n"
    with serving(*python(code), patience=PATIENT) as run, run.client() as sock:
        send_and_half_close(sock, bytes(10_000_000))
        assert run.sink.wait_for("program_warned")[0].said == "10000000"
        assert len(receive_all(sock)) == 65_536


def test_input_that_the_program_no_longer_reads_is_dropped() -> None:
    with serving(*sh("exec <&-; sleep 0.5; echo done"), patience=PATIENT) as run, run.client() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(bytes(5_000_000))
        assert receive_exactly(sock, 5) == b"done\n"
        assert ended(run).how == "exit code 0"


def test_standard_error_without_end_is_summed() -> None:
    with serving("sh", "-c", "yes complaint >&2") as run, run.client() as sock:
        summed = run.sink.wait_for("program_warnings_summed")[0]
        assert summed.lines > 1000
        assert len(run.sink.named("program_warned")) < 200
        reset(sock)
        ended(run)


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


def test_the_stop_gives_a_program_its_input_and_the_client_its_last_output() -> None:
    script = "cat; sleep 0.3; echo bye"
    with serving(*sh(script), patience=PATIENT) as run, run.client() as sock:
        sock.sendall(b"one\n")
        assert receive_exactly(sock, 4) == b"one\n"
        stopper = threading.Thread(target=run.stop)
        stopper.start()
        assert receive_all(sock) == b"bye\n"
        assert ended(run).how == "exit code 0"
        assert reason(run) is DisconnectReason.SERVER_STOPPING
        sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped


@pytest.mark.parametrize("script", ["trap 'echo got it; exit 0' TERM; echo up; while :; do sleep 0.05; done"])
def test_a_program_may_answer_to_the_signal_of_a_stop(script: str) -> None:
    patience = Patience(end_s=0.05, terminate_s=TIMEOUT_S, last_output_s=0.1)
    with serving(*sh(script), patience=patience) as run, run.client() as sock:
        assert receive_exactly(sock, 3) == b"up\n"
        stopper = threading.Thread(target=run.stop)
        stopper.start()
        assert receive_all(sock) == b"got it\n"
        sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped
        assert ended(run).how == ENDED_BY_SERVER


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


def test_a_program_that_closes_both_outputs_ends_soon_after_its_client() -> None:
    with serving(*sh("exec >&- 2>&-; sleep 60")) as run, run.client() as sock:
        assert receive_all(sock) == b""
        assert not select.select([sock], [], [], 0.2)[1]
        sock.shutdown(socket.SHUT_WR)
        assert ended(run).how == ENDED_BY_SERVER
