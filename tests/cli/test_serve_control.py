"""The control socket of a server: its options, its place, and what happens where it can't be made."""

import json
import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.support.running import echo_process, exchange, listens, process, sockctl, wait_until


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "sockctl"


def test_a_private_socket_while_the_server_runs(own_folder: Path) -> None:
    with echo_process("-v") as (run, port):
        opened = run.event("control_opened")
        path = own_folder / f"echo-{port}.sock"
        assert opened["path"] == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(own_folder.stat().st_mode) == 0o700
        assert run.end() == 0
        assert not path.exists()


def test_without_the_variable_there_is_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with echo_process("-v") as (run, _):
        path = Path(run.event("control_opened")["path"])
        assert path.parent.parent == tmp_path
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert json.loads(sockctl("watch", "--list", "--json").stdout)


def test_a_place_of_ones_own_and_none(tmp_path: Path, own_folder: Path) -> None:
    with echo_process("--control", "mine", cwd=tmp_path) as (run, port):
        assert exchange(port, b"x") == b"x"
        assert (tmp_path / "mine").is_socket()
        found = json.loads(sockctl("watch", str(tmp_path / "mine"), "--once", "--json", "--interval", "0.1").stdout)
        assert found["server"]["path"] == str(tmp_path / "mine")
        run.end()
        assert not (tmp_path / "mine").exists()
    with echo_process("--no-control", "-v") as (run, port):
        assert exchange(port, b"x") == b"x"
        assert run.end() == 0
    assert not own_folder.exists()
    assert "control_opened" not in run.events


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_server_without_a_socket_serves_and_says_so_once(tmp_path: Path, quiet: list[str]) -> None:
    (tmp_path / "kept").write_text("mine")
    with process("serve", "echo", "--port", "0", "--control", str(tmp_path / "kept"), *quiet) as run:
        port = int(run.wait_for(r"Listening on 127\.0\.0\.1:(\d+)")[1])
        run.has_told("control_failed .*what stands there is no socket")
        assert exchange(port, b"x") == b"x"
        assert run.end() == 0
    assert sum("control_failed" in line for line in run.lines) == 1
    assert (tmp_path / "kept").read_text() == "mine"


def test_what_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with echo_process("--control", str(path)) as (run, port):
        assert listens(port)
        wait_until(path.is_socket)
        run.end(signal.SIGKILL)
    assert path.is_socket()
    with echo_process("--control", str(path), "-v") as (run, _):
        run.event("control_opened")
        with echo_process("--control", str(path)) as (second, _):
            assert "another process listens there" in second.event("control_failed")["text"]
            second.end()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
