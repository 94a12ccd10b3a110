"""The processes seen from the one that starts them: told to stop, ended, added up."""

import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sockctl.bench.coordinator import Progress, measure
from sockctl.bench.plan import Tls
from sockctl.errors import BenchFailedError
from tests.support.bench import plan, where
from tests.support.bench_servers import echo
from tests.support.running import START_S, wait_until
from tests.support.wrong_servers import serving, silent


def test_progress_is_told() -> None:
    told: list[Progress] = []
    with echo() as port:
        for duration_s in (0.6, 2.0, 6.0):  # a busy machine may do nothing at all in a short time
            outcome = measure(plan(port, duration_s=duration_s, progress=True).divide(2), told.append)
            if told and told[-1].answered:
                break
    assert told[-1].answered > 0
    assert told[-1].seconds > 0.3
    assert told[-1].errors == 0
    assert 0 < outcome.stats.cpu_s < 2 * outcome.stats.seconds
    assert outcome.stats.processes == 2


@contextmanager
def interrupted_when(met: Callable[[], bool]) -> Iterator[None]:
    """Interrupt the main thread once a condition is met, as Ctrl-C does."""

    def interrupt() -> None:
        wait_until(met, timeout_s=START_S)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_ctrl_c_while_the_processes_end_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = subprocess.Popen.wait
    interrupted: list[bool] = []

    def interrupted_once(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if not interrupted:
            interrupted.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted_once)
    with echo() as port:
        outcome = measure(plan(port, count=10, duration_s=None).divide(2))
    assert outcome.stats.answered == 10


def test_an_interrupted_clock_says_what_did_not_go_out() -> None:
    told: list[Progress] = []
    with echo() as port, interrupted_when(lambda: bool(told) and told[-1].answered > 0):
        outcome = measure(plan(port, rate=10_000_000.0, duration_s=600.0, progress=True).divide(1), told.append)
    assert outcome.interrupted
    assert outcome.stats.unsent > 0


def test_ctrl_c_gives_what_there_is() -> None:
    began = time.monotonic()
    told: list[Progress] = []
    with echo() as port, interrupted_when(lambda: bool(told) and told[-1].answered > 0):
        outcome = measure(plan(port, duration_s=600.0, progress=True).divide(2), told.append)
    assert outcome.interrupted
    assert outcome.stats.answered > 0
    assert not outcome.stats.errors
    assert time.monotonic() - began < START_S


def test_ctrl_c_while_nothing_is_answered() -> None:
    heard: list[bytes] = []

    def hearing(sock: socket.socket) -> None:
        heard.append(sock.recv(65_536))
        silent(sock)

    with serving(hearing) as port, interrupted_when(lambda: len(heard) == 4):
        outcome = measure(plan(port, duration_s=600.0, timeout_s=600.0).divide(1))
    assert outcome.interrupted
    assert (outcome.stats.answered, outcome.stats.lost) == (0, 4)


def test_more_files_than_there_may_be() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    clients = 2_000_000 if hard == resource.RLIM_INFINITY else hard + 1
    with pytest.raises(BenchFailedError, match="open files"):
        measure(plan(1, clients=clients).divide(1))


def test_a_file_of_tls_that_is_not_there() -> None:
    there = type(where(1))(name="x", family=2, address=("127.0.0.1", 1), tls=Tls(server_name="x", ca="/nowhere"))
    with pytest.raises(BenchFailedError, match="--ca /nowhere"):
        measure(plan(1, servers=(there,)).divide(1))


def test_a_process_that_ends_too_early() -> None:
    with pytest.raises(BenchFailedError, match="ended too early"):
        measure(plan(1).divide(1), program="pass")


def test_a_process_that_does_not_end_is_ended() -> None:
    program = 'import time; print(\'{"failed": "so"}\', flush=True); time.sleep(600)'
    began = time.monotonic()
    with pytest.raises(BenchFailedError, match="so"):
        measure(plan(1).divide(1), program=program, close_s=0.1)
    assert time.monotonic() - began < START_S
