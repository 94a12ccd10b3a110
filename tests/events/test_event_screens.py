"""The golden files of events: a visit at an echo server, as the terminals of the server and of the client show it.

Both run on real terminals. Ports and times are replaced in what they show; so the lines break at the same places in
each run, the server's process and all seconds are fixed.
"""

import io
import re
import sys
from typing import Any

import pytest

from sockctl.events.base import Level
from sockctl.services.echo import Echo
from tests.support.running import exchange, free_port, running
from tests.support.screens import WIDTHS, check_screen
from tests.support.terminal import ended

FIXED = """
import os, sys
import sockctl.text
os.getpid = lambda: 4242
sockctl.text.format_seconds = sockctl.text.format_delay = lambda seconds: "250 ms"
sys.argv[:4] = ["sockctl"]  # this command stands in front of the usual one
from sockctl.__main__ import main
sys.exit(main())
"""
FIXED_COMMAND = [sys.executable, "-c", FIXED]


def start(terminal: Any, *arguments: str, columns: int, colour: bool) -> tuple[Any, io.StringIO]:
    """Start a command on a terminal; return it, and where all that it shows will stand."""
    child = terminal(*arguments, command=FIXED_COMMAND, columns=columns, NO_COLOR="" if colour else "1")
    child.logfile_read = io.StringIO()
    return child, child.logfile_read


def check(name: str, screen: str, port: int, *, columns: int, colour: bool) -> None:
    """Compare a screen with its golden file."""
    screen = re.sub(r"\d\d:\d\d:\d\d", "12:00:00", screen.replace("\r\n", "\n"))
    screen = re.sub(r"[^\n]*\n? *Listening on \[::1\]:\d+\.\n", "", screen)  # not every machine has IPv6
    screen = re.sub(r"\b\d{5}\b", lambda each: "49090" if each[0] == str(port) else "50000", screen)
    check_screen("-".join([name, str(columns), *(["colour"] if colour else [])]), screen)


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_golden_events_of_a_server(terminal: Any, columns: int, *, colour: bool) -> None:
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--strict-port", "--max-clients", "100"]
    child, screen = start(terminal, "serve", "echo", *options, columns=columns, colour=colour)
    child.expect("loopback_only")
    assert exchange(port, b"hello\n") == b"hello\n"
    child.expect("client_disconnected")
    child.sendintr()
    assert ended(child) == 0
    check("events-serve-echo", screen.getvalue(), port, columns=columns, colour=colour)


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_golden_events_of_a_client(terminal: Any, columns: int, *, colour: bool) -> None:
    with running(Echo(), level=Level.WARNING) as run:
        target = ("127.0.0.1", str(run.port))
        child, screen = start(terminal, "connect", *target, "--plain", columns=columns, colour=colour)
        child.expect("ends the")
        child.sendline("hello")
        child.expect("data_received")
        child.expect("\nhello\r\n")
        child.sendline("exit")
        assert ended(child) == 0
    check("events-connect", screen.getvalue(), run.port, columns=columns, colour=colour)
