"""The operator's terminal where nobody sits, and who gets a line editor."""

import os

import pytest

from sockctl.cli.operator_terminal import OperatorTerminal, may_edit
from sockctl.events.formats import encode_json
from sockctl.terminal import STDIN, STDOUT
from tests.support.descriptors import in_place_of
from tests.support.running import MemorySink


def test_where_nobody_sits_events_go_where_they_would_go() -> None:
    terminal, sink = OperatorTerminal(), MemorySink()
    for is_screen in (True, False):
        assert terminal.watch(sink, lambda: encode_json, is_screen=is_screen) is sink
    assert not terminal.edits, "Ctrl-C leaves ^C on the screen"


def test_a_terminal_of_this_job_is_edited(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keyboard
    with in_place_of(STDOUT, STDIN):
        monkeypatch.setenv("TERM", "xterm")
        assert may_edit()
        monkeypatch.setenv("TERM", "dumb")
        assert not may_edit()
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
        assert not may_edit(), "a job in the background"


def test_a_pipe_is_not_edited(
    monkeypatch: pytest.MonkeyPatch, keyboard: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert keyboard
    assert capfd
    monkeypatch.setenv("TERM", "xterm")
    assert not may_edit()
