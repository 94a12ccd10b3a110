"""Where processes of sockctl come from in the tests."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import NODE, Popen
from tests.support.running import echo_process

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the fork server needs Linux")


def is_forked(pid: int) -> bool:
    """Return whether the fork server has started a process, which shows that program's command line then."""
    return b"tests.support.fork_server" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_command_is_forked() -> None:
    with echo_process() as (run, _):
        assert is_forked(run.process.pid)


def test_a_command_on_a_terminal_is_forked(terminal: Any) -> None:
    child = terminal("serve", "echo", "--port", "0")
    child.expect("loopback")
    assert is_forked(child.pid)


def test_a_node_of_a_cluster_is_forked() -> None:
    with Popen([*NODE, "none", "short", "serve", "echo", "--port", "0"], stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        assert run.stderr.readline()
        assert is_forked(run.pid)
        run.terminate()


def test_a_shell_is_not_forked(terminal: Any) -> None:
    child = terminal("--version", command=["sh", "-c", 'echo ready; read line; exec "$@"', "sh"])
    child.expect("ready")
    assert not is_forked(child.pid)
    child.sendline()
    child.expect(r"sockctl \d")
