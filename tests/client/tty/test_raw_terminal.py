"""Tests for `sockctl.client.tty.raw_terminal`."""

import os
import termios

import pytest

from sockctl.client.screen import Screen
from sockctl.client.tty import raw_terminal as module
from sockctl.client.tty import terminal_mode
from sockctl.client.tty.raw_terminal import LEAVE_KEY, raw_terminal


@pytest.fixture
def keyboard(ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    for each in (module, terminal_mode):
        monkeypatch.setattr(each, "STDIN", ends[1])
    return ends


def test_each_key_passes_but_one(keyboard: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    person, program = keyboard
    before = termios.tcgetattr(program)
    with raw_terminal(Screen(), quiet=False):
        keys = b"a\x03\x1a\x1c\x04\x11\r\n"
        os.write(person, keys)
        assert os.read(program, 100) == keys
        os.write(program, b"\n")
        assert os.read(person, 100) == b"\n", "no echo, and no CR LF"
        attributes = termios.tcgetattr(program)
        assert attributes[3] & termios.ISIG
        assert attributes[6][termios.VINTR] == LEAVE_KEY
    assert termios.tcgetattr(program) == before
    assert capfd.readouterr().err.splitlines() == [
        "Each key goes to the server. Ctrl-] ends the connection.",
        "The connection has ended.",
    ]


def test_it_is_as_before_after_an_error(keyboard: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    before = termios.tcgetattr(keyboard[1])
    with pytest.raises(KeyboardInterrupt), raw_terminal(Screen(), quiet=True):
        raise KeyboardInterrupt
    assert termios.tcgetattr(keyboard[1]) == before
    assert capfd.readouterr().err == ""


def test_a_terminal_that_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = os.pipe()
    monkeypatch.setattr(terminal_mode, "STDIN", near)
    with raw_terminal(Screen(), quiet=True):
        pass
    os.close(near)
    os.close(far)
