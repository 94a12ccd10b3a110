"""Servers as a shell's jobs, and what Ctrl-C leaves on the terminal."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.support.terminal import ended

IN_THE_BACKGROUND = ("bash", "-mc", '"$@" & wait', "bash")


@pytest.mark.parametrize("service", ["echo", "chat", "talk"])
def test_a_server_in_the_background_is_not_stopped(terminal: Any, service: str, tmp_path: Path) -> None:
    child = terminal("serve", service, "--data-dir", str(tmp_path), command=IN_THE_BACKGROUND)
    child.expect(r"starts as process (\d+)\D")
    pid = int(child.match[1])
    try:
        assert "Port to listen on" not in child.before
        awaited = ["Listening on"] if service == "echo" else ["Listening on", "Ctrl-C ends it"]
        while awaited:  # events have a thread of their own, so either may come first
            awaited.pop(child.expect(awaited))
        os.kill(pid, signal.SIGTERM)
        child.expect("server_stopped")
        child.expect(pexpect.EOF)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("options", "last_line"), [((), "loopback interface"), (("-q",), "Listening on")])
def test_after_ctrl_c_a_new_line_begins(terminal: Any, options: tuple[str, ...], last_line: str) -> None:
    child = terminal("serve", "echo", "--port", "0", *options)
    child.expect(rf"{last_line}.*\n")
    child.sendintr()
    child.expect_exact("^C")
    assert ended(child) == 0
    assert child.before.startswith("\r\n")
    assert child.before.endswith("\r\n")
