"""How a server stops: in order at the first signal, at once at the second. `test_serve_runner` has the rest."""

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.running import echo_process


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "sockctl"


def test_a_second_signal_removes_the_socket_too(own_folder: Path) -> None:
    with echo_process("--drain-timeout", "60") as (run, port), socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        run.event("client_connected")
        try:
            while sock.send(bytes(65_536)):
                pass
        except BlockingIOError:
            pass
        run.process.send_signal(signal.SIGTERM)
        run.event("server_stopping")
        assert (own_folder / f"echo-{port}.sock").exists(), "a draining server can be watched"
        time.sleep(0.2)  # two signals within 0.1 s count as one
        assert run.end(signal.SIGINT) == 130
    assert list(own_folder.iterdir()) == []
