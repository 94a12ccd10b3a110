"""Writing all to a descriptor that takes a part at a time, colour, and the terminal's width."""

import os
import pty
import tempfile
import termios
import threading
from pathlib import Path

import pytest

from sockctl.terminal import is_null_device, measure_columns, wants_colour, write_all
from tests.support.running import TIMEOUT_S

MUCH = bytes(range(256)) * 4096


@pytest.mark.parametrize("blocking", [True, False])
def test_all_is_written_however_little_is_taken_at_once(blocking: bool) -> None:
    receiver, sender = os.pipe()
    os.set_blocking(sender, blocking)
    received = bytearray()

    def read() -> None:
        while part := os.read(receiver, 1000):
            received.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    write_all(sender, MUCH)
    os.close(sender)
    reader.join(TIMEOUT_S)
    os.close(receiver)
    assert received == MUCH


def test_where_nobody_reads() -> None:
    receiver, sender = os.pipe()
    os.close(receiver)
    with pytest.raises(BrokenPipeError):
        write_all(sender, b"x")
    os.close(sender)


NEUTRAL = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")


@pytest.mark.parametrize(
    ("environment", "on_a_terminal", "in_a_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_what_the_environment_says_about_colour(
    environment: dict[str, str], on_a_terminal: bool, in_a_pipe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NEUTRAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    master, slave = pty.openpty()
    reader, writer = os.pipe()
    assert (wants_colour(slave), wants_colour(writer)) == (on_a_terminal, in_a_pipe)
    for descriptor in (master, slave, reader, writer):
        os.close(descriptor)


def test_the_width_of_a_terminal_and_of_what_is_none() -> None:
    master, slave = pty.openpty()
    assert measure_columns(slave) == 80
    termios.tcsetwinsize(slave, (24, 132))
    assert measure_columns(slave) == 132
    os.close(slave)
    os.close(master)
    reader, writer = os.pipe()
    assert measure_columns(writer) == 80
    os.close(reader)
    os.close(writer)


def test_the_null_device_is_known() -> None:
    with Path(os.devnull).open("rb") as null, tempfile.TemporaryFile() as file:
        assert is_null_device(null.fileno())
        assert not is_null_device(file.fileno())
    assert not is_null_device(-1)
