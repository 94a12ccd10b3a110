"""Where data is kept: what is chosen, what the environment says, and what XDG says."""

import os
from pathlib import Path

import pytest

from sockctl.errors import StoreReadError
from sockctl.paths import find_data_dir, find_runtime_dir, find_state_dir


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOCKCTL_DATA_DIR", "XDG_DATA_HOME", "SOCKCTL_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ann")


def test_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_data_dir(None) == Path("/home/ann/.local/share/sockctl")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert find_data_dir(None) == Path("/xdg/sockctl")
    monkeypatch.setenv("SOCKCTL_DATA_DIR", "/own")
    assert find_data_dir(None) == Path("/own")
    assert find_data_dir(Path("chosen")) == Path("chosen")


def test_the_order_for_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKCTL_DATA_DIR", "/data")
    assert find_state_dir(None) == Path("/home/ann/.local/state/sockctl")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert find_state_dir(None) == Path("/home/ann/.local/state/sockctl")
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert find_state_dir(None) == Path("/xdg/sockctl")
    monkeypatch.setenv("SOCKCTL_STATE_DIR", "/own")
    assert find_state_dir(None) == Path("/own")
    assert find_state_dir(Path("chosen")) == Path("chosen")


def test_what_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("SOCKCTL_DATA_DIR", "")
    assert find_data_dir(None) == Path("/home/ann/.local/share/sockctl")


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(StoreReadError, match="--data-dir"):
        find_data_dir(None)
    with pytest.raises(StoreReadError, match="--state-dir, or set SOCKCTL_STATE_DIR"):
        find_state_dir(None)


def test_the_folder_of_control_sockets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert find_runtime_dir() == tmp_path / "sockctl"
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    private = Path(f"/elsewhere/sockctl-{os.geteuid()}")
    for useless in (str(tmp_path / "missing"), "relative", ""):
        monkeypatch.setenv("XDG_RUNTIME_DIR", useless)
        assert find_runtime_dir() == private
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert find_runtime_dir() == Path("/elsewhere/sockctl-12345"), "the folder is another user's"
    monkeypatch.delenv("TMPDIR")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert find_runtime_dir() == Path("/", "tmp", "sockctl-12345")
