"""A program with a terminal: what it sees of it, the keys of a client, and the end of its whole session."""

import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.services.exec import Exec
from sockctl.services.program import Patience
from sockctl.services.program_terminal import TerminalProgram
from tests.support.running import TIMEOUT_S, Running, receive_all, running, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are found by /proc")
QUICK = Patience(end_s=0.1, terminate_s=0.2, last_output_s=0.1)
PATIENT = Patience(end_s=TIMEOUT_S, terminate_s=TIMEOUT_S, last_output_s=TIMEOUT_S)


@contextlib.contextmanager
def serving(*argv: str, patience: Patience = QUICK) -> Iterator[Running]:
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "PS1": "$ "}
    service = Exec(argv, environment=environment, max_programs=4, patience=patience, terminal=True)
    with running(service) as run:
        yield run


def receive_until(sock: socket.socket, wanted: bytes) -> bytes:
    data = b""
    while wanted not in data:
        part = sock.recv(65_536)
        assert part, f"the connection ended after {data!r}"
        data += part
    return data


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_terminal_is_the_programs_own() -> None:
    code = (
        "import os, sys\n"
        "size = os.get_terminal_size()\n"
        "print(size.columns, size.lines, os.tcgetpgrp(0) == os.getpgrp() == os.getsid(0), bool(open('/dev/tty')))\n"
        "print(sorted(map(int, os.listdir('/proc/self/fd')))[:3], len(os.listdir('/proc/self/fd')), file=sys.stderr)\n"
    )
    with serving(sys.executable, "-S", "-c", code) as run, run.client() as sock:
        assert receive_all(sock) == b"80 24 True True\r\n[0, 1, 2] 4\r\n", "the last one is the folder it reads"
        assert run.sink.wait_for("program_started")[0].wire == "terminal"
        assert run.sink.wait_for("program_ended")[0].how == "exit code 0"


def test_ctrl_c_interrupts_the_program() -> None:
    with serving("sh", "-c", "trap 'echo interrupted; exit 5' INT; echo up; while :; do sleep 0.1; done") as run:
        with run.client() as sock:
            receive_until(sock, b"up")
            sock.sendall(b"\x03")
            assert b"interrupted" in receive_all(sock)
        assert run.sink.wait_for("program_ended")[0].how == "exit code 5"


@pytest.mark.parametrize("sent", [b"one\ntwo\n", b"one\ntwo", b""])
def test_the_end_of_the_clients_input_is_that_of_the_terminals(sent: bytes) -> None:
    with serving("sh", "-c", "stty -echo; echo up; cat; echo end", patience=PATIENT) as run, run.client() as sock:
        receive_until(sock, b"up\r\n")
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == sent.replace(b"\n", b"\r\n") + b"end\r\n"
        assert run.sink.wait_for("client_disconnected")[0].reason is DisconnectReason.CLIENT_CLOSED


@pytest.mark.parametrize("how", ["reset", "exit", "stop"])
def test_an_interactive_shell_and_its_jobs_end_with_the_connection(how: str) -> None:
    """Though they ignore the hang-up: a job has a process group of its own."""
    with serving("sh", "-i") as run, run.client() as sock:
        sock.sendall(b"trap '' HUP; sleep 60 & echo pid=$!=\n")
        data = b""
        while not (
            found := [word for word in data.split(b"pid=")[1:] if word.split(b"=")[0].isdigit() and b"=" in word]
        ):
            data += sock.recv(4096)
        job = int(found[0].split(b"=")[0])
        shell = run.sink.wait_for("program_started")[0].pid
        assert os.getpgid(job) not in {shell, os.getpgid(0)}
        stopper = threading.Thread(target=run.stop)
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        elif how == "exit":
            sock.sendall(b"exit\nexit\n")
        else:
            stopper.start()
        run.sink.wait_for("program_ended")
        wait_until(lambda: not is_running(job), what="the end of the job")
        assert not is_running(shell)
        if how == "stop":
            sock.close()
            stopper.join(TIMEOUT_S)


def test_all_output_comes() -> None:
    with serving("seq", "30000", patience=PATIENT) as run, run.client() as sock:
        assert receive_all(sock) == b"".join(b"%d\r\n" % number for number in range(1, 30_001))
        assert run.sink.wait_for("program_ended")[0].how == "exit code 0", run.sink.events


def test_no_descriptor_is_left() -> None:
    with serving("true") as run:

        def once(count: int) -> None:
            with run.client() as sock:
                receive_all(sock)
            run.sink.wait_for("client_disconnected", count)

        once(1)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for count in range(2, 5):
            once(count)
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)  # noqa: PTH208


def test_without_a_descriptor_no_program_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    monkeypatch.setattr(os, "dup", fail)
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(OSError, match="Too many open files"):
        TerminalProgram(["true"], {"PATH": os.environ["PATH"]})
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
