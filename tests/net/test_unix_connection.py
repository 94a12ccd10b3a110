"""Connections over Unix sockets: who is at the other end, and a backlog that is full."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from sockctl.net.unix_connection import connect_unix, read_peer
from tests.support.other_user import OTHER_UID, as_other_user, needs_root
from tests.support.running import wait_until


def test_both_ends_know_each_other(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        connect_unix(client, str(tmp_path / "s"), 5.0)
        accepted, _ = listener.accept()
        with accepted:
            me = (f"uid:{os.geteuid()}", os.getpid())
            assert read_peer(accepted) == read_peer(client) == me
            client.send(b"x")
            assert accepted.recv(2) == b"x"


@needs_root
def test_another_user_is_told_from_this_one(tmp_path: Path) -> None:
    name = f"\0{tmp_path}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()

        def connect() -> str:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(name)
            return str(os.getpid())

        pid = as_other_user(connect)
        with listener.accept()[0] as accepted:
            assert read_peer(accepted) == (f"uid:{OTHER_UID}", int(pid)), "also when the client has gone"


def fill(path: str) -> list[socket.socket]:
    """Connect until the backlog is full; return the clients."""
    clients: list[socket.socket] = []
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(path)
        except BlockingIOError:
            client.close()
            return clients
        clients.append(client)


def test_a_full_backlog_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        clients = fill(path)
        with socket.socket(socket.AF_UNIX) as late:
            started = time.monotonic()
            with pytest.raises(TimeoutError):
                connect_unix(late, path, 0.1)
            assert time.monotonic() - started >= 0.1
            waiting = threading.Thread(target=connect_unix, args=(late, path, 20.0))
            waiting.start()
            accepted = [listener.accept()[0]]
            waiting.join(20)
            assert not waiting.is_alive()
            wait_until(lambda: bool(late.getpeername()))
        for each in [*clients, *accepted]:
            each.close()


def test_a_signal_connects_to_no_full_backlog(tmp_path: Path) -> None:
    """A stop and 'fg' do the same: the client took itself for connected, and broke as it sent."""
    path, done = str(tmp_path / "s"), threading.Event()

    def interrupt() -> None:
        while not done.wait(0.01):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    interrupting = threading.Thread(target=interrupt)
    try:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as late:
            listener.bind(path)
            listener.listen(1)
            clients = fill(path)
            interrupting.start()
            with pytest.raises(TimeoutError):
                connect_unix(late, path, 0.3)
            for each in clients:
                each.close()
    finally:
        done.set()
        interrupting.join()
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("error", [FileNotFoundError, ConnectionRefusedError])
def test_a_socket_at_which_nobody_listens(tmp_path: Path, error: type[OSError]) -> None:
    path = str(tmp_path / "s")
    if error is ConnectionRefusedError:
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(path)
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(error):
        connect_unix(client, path, 5.0)
