"""How a server stops: in order at the first signal, at once at the second. `test_serve_runner` has the rest."""

import signal
import time
from pathlib import Path

import pytest

from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.cli.serve_stop import wait_for_stop
from sockctl.signals import StopSignals
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


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_server_that_nohup_has_started_outlives_its_terminal(handler: signal.Handlers) -> None:
    before = signal.signal(signal.SIGHUP, handler)
    try:
        with StopSignals() as signals:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            signals.wake()
            wait_for_stop(signals, None, OperatorTerminal())
            assert signals.wait() is (None if handler is signal.SIG_IGN else signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)
