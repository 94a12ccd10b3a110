"""A crowd of clients and its server, in a process of its own."""

import mmap
import os
import resource
import signal
import socket
from pathlib import Path

import pytest

from sockctl.explain.crowd import Crowd, Serve, limit_clients, serve_by_events, serve_by_threads
from sockctl.explain.network import Loopback
from tests.support.running import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
"""A topic has no threads when it starts the server; a test worker has some."""

CLIENTS = 20


@pytest.mark.parametrize(("serve", "threads"), [(serve_by_threads, CLIENTS + 1), (serve_by_events, 1)])
def test_each_client_gets_its_answer(serve: Serve, threads: int, loopback: Loopback) -> None:
    with Crowd(loopback, serve) as crowd:
        crowd.grow(CLIENTS)
        crowd.send_all()
        assert crowd.receive_all() == CLIENTS
        usage = crowd.ask()
        assert usage.threads == threads
        assert usage.switches > 0
        assert usage.memory_bytes
    assert list_states() == [], "the server has ended, and no connection is left"


def list_states() -> list[str]:
    return [line.split()[3] for line in Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]]


def test_a_server_that_stands_still_ends_with_its_parent(loopback: Loopback) -> None:
    parent = os.fork()
    if not parent:
        try:
            crowd = Crowd(loopback, serve_by_events)
            crowd.grow(1)
            socket.socket.send = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment,method-assign]
            crowd.send_all()
        finally:
            os._exit(0)
    _, status = os.waitpid(parent, 0)
    assert os.WIFSIGNALED(status)
    wait_until(lambda: "LISTEN" not in list_states(), what="the end of the server")


def test_a_file_that_leaves_memory_hides_nothing(loopback: Loopback, tmp_path: Path) -> None:
    """A system that needs memory takes that of files first: 'explain c10k' told that 500 threads needed none."""
    path, size = tmp_path / "file", 8 << 20
    path.write_bytes(bytes(size))

    def serve(listener: socket.socket) -> None:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            first, _ = listener.accept()
            sum(mapped[::4096])
            first.send(first.recv(100))
            second, _ = listener.accept()
        for each in (first, second):
            each.send(each.recv(100))

    used = []
    with Crowd(loopback, serve) as crowd:
        for clients in (1, 2):
            crowd.grow(clients)
            crowd.send_all()
            assert crowd.receive_all() == clients
            used.append(crowd.ask().memory_bytes or 0)
    assert used[1] > used[0] - size // 2


def test_a_server_that_closes_is_counted_as_one_that_did_not_answer(loopback: Loopback) -> None:
    with Crowd(loopback, lambda listener: listener.accept()[0].close()) as crowd:
        crowd.grow(1)
        assert crowd.receive_all() == 0


def test_the_limit_of_descriptors_bounds_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, clients in ((256, 192), (20_000, 500), (10, 1), (resource.RLIM_INFINITY, 500)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert limit_clients(500) == clients
