"""How a server stops: in order at the first signal, at once at the second. `test_serve_runner` has the rest."""

import signal
import time
from pathlib import Path

import pytest

from tests.support.running import connect, echo_process, stall


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "sockctl"


def test_a_second_signal_removes_the_socket_too(own_folder: Path) -> None:
    with echo_process("-v", "--drain-timeout", "60") as (run, port), connect(port) as sock:
        stall(run, sock)
        run.process.send_signal(signal.SIGTERM)
        run.event("server_stopping")
        assert (own_folder / f"echo-{port}.sock").exists(), "a draining server can be watched"
        while run.process.poll() is None:  # what a busy process sees within 0.1 s counts as one signal
            time.sleep(0.2)
            run.process.send_signal(signal.SIGINT)
        assert run.wait() == 130
    assert list(own_folder.iterdir()) == []
