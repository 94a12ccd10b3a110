"""The terminal of an operator: stopped jobs, a terminal that takes nothing, and one that is gone."""

import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_client import client_at
from tests.support.frames import FrameClient
from tests.support.operators import enter, operator, start_chat
from tests.support.running import free_port, listens, wait_until
from tests.support.terminal import ended
from tests.support.tmux import Tmux, tmux

ROWS = 3_000


def hear(client: FrameClient, text: str) -> None:
    while (one := client.receive()) is not None:
        if text in one["text"]:
            return
    raise AssertionError(f"{text} did not come")


def start(shell: Tmux, data: Path) -> int:
    port = free_port()
    shell.start("serve", "chat", "--port", str(port), "--strict-port", "--quiet", "--data-dir", str(data))
    shell.expect("[#lobby] server>")
    return port


@pytest.mark.parametrize("columns", [40, 80])
def test_ctrl_z_the_background_and_back(tmp_path: Path, columns: int) -> None:
    with tmux(tmp_path, columns=columns) as shell:
        port = start(shell, tmp_path / "data")
        with client_at(port) as ann:
            enter(ann, "ann")
            shell.expect("ann joined #lobby")
            shell.type("half a li")
            shell.expect("half a li")
            shell.press("C-z")
            shell.expect("Stopped")
            shell.type("bg")
            shell.press("Enter")
            ann.line("in the background")
            hear(ann, "in the background")
            assert "<ann>" not in "\n".join(shell.screen())
            shell.type("fg")
            shell.press("Enter")
            shell.expect("<ann> in the background", "[#lobby] server> half a li")
            shell.type("ne")
            shell.press("Enter")
            hear(ann, "half a line")
            shell.expect("<server> half a line")
        shell.press("C-c")
        shell.expect_last("sh%")
        wait_until(lambda: not listens(port))


def test_a_command_stands_with_its_time(tmp_path: Path) -> None:
    with tmux(tmp_path, columns=80) as shell:
        start(shell, tmp_path / "data")
        shell.type("/events")
        shell.press("Enter")
        shell.expect("Events are")
        assert [row for row in shell.screen() if re.fullmatch(r"\d\d:\d\d > /events", row)]


def test_ctrl_l_clears_the_screen_and_keeps_the_line_at_the_bottom(tmp_path: Path) -> None:
    with tmux(tmp_path) as shell:
        start(shell, tmp_path / "data")
        shell.type("half")
        shell.press("C-l")
        rows = shell.expect_last("[#lobby] server> half")
        assert (len(rows), rows[:22]) == (24, [""] * 22)


def test_a_stopped_background_job_ends_by_a_signal(tmp_path: Path) -> None:
    with tmux(tmp_path) as shell:
        port = start(shell, tmp_path / "data")
        shell.press("C-z")
        shell.expect("Stopped")
        shell.type("bg; kill %1; wait; echo waited=$?")
        shell.press("Enter")
        shell.expect("waited=0")
        wait_until(lambda: not listens(port))
        shell.type("echo it is a shell again")  # with the shell's own mode
        shell.press("Enter")
        shell.expect("it is a shell again")


def test_nothing_waits_for_a_terminal_that_takes_nothing(terminal: Any, tmp_path: Path) -> None:
    child, port = start_chat(terminal, tmp_path, "--quiet", "--no-flood-limit")
    with client_at(port) as ann:
        enter(ann, "ann")
        for number in range(ROWS):  # nobody reads the terminal meanwhile
            ann.line(f"{number} {'x' * 100}")
        hear(ann, f"{ROWS - 1} x")
        child.kill(signal.SIGTERM)
        while ann.receive() is not None:
            pass
    wait_until(lambda: not child.isalive(), what="the end of the server")
    assert child.exitstatus == 0


def test_the_terminal_goes(terminal: Any, tmp_path: Path) -> None:
    child, port = start_chat(terminal, tmp_path, "--quiet")
    child.send("half a line")
    child.expect("half a line")
    child.ptyproc.fileobj.close()
    wait_until(lambda: not listens(port))
    wait_until(lambda: not child.isalive())


def test_the_operators_input_ends(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port):
        child.sendeof()
        child.expect("input has ended")
        with client_at(port) as ann:
            enter(ann, "ann")
            ann.line("anybody there?")
            child.expect(r"<ann> anybody there\?\r\n")


def test_sigterm_leaves_the_half_typed_line(terminal: Any) -> None:
    child = terminal("serve", "talk", "--port", "0", NO_COLOR="1")
    child.expect("0 clients")
    child.send("half a line")
    child.expect("half a line")
    child.kill(signal.SIGTERM)
    child.expect(r"server_stopping")
    child.expect("server_stopped")
    assert ended(child) == 0


WITH_A_LATE_ANSWER = """
import asyncio, os, sys, threading
from prompt_toolkit.renderer import Renderer
from sockctl.cli.app import run
async def wait_for_cpr_responses(self):
    await asyncio.sleep(1.3)
Renderer.wait_for_cpr_responses = wait_for_cpr_responses
sys.argv = ["sockctl", *sys.argv[4:]]
code = run()
os.write(2, b"abandoned" if "sockctl-operator" in [each.name for each in threading.enumerate()] else b"left in order")
sys.exit(code)
"""
"""The command behind it, whose editor waits longer for the terminal's answer than prompt_toolkit does without one."""


def test_an_editor_that_waits_for_the_terminal_is_not_abandoned(terminal: Any) -> None:
    child = terminal(
        *("serve", "talk", "--port", "0"),
        command=[sys.executable, "-c", WITH_A_LATE_ANSWER],
        NO_COLOR="1",
        PROMPT_TOOLKIT_NO_CPR="",
    )
    child.expect("0 clients")
    child.kill(signal.SIGTERM)
    child.expect("server_stopped")
    child.expect("left in order")
    assert ended(child) == 0
