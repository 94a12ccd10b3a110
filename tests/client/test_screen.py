"""Tests for `sockctl.client.screen`."""

import json
import os

import pytest

from sockctl.client import screen
from sockctl.client.screen import Screen
from sockctl.errors import StreamError
from sockctl.events.base import Level
from sockctl.events.client import Connecting, InputEnded
from sockctl.events.client_tls import TlsCut


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the writings to standard output."""
    pieces: list[bytes] = []
    monkeypatch.setattr(screen, "write_all", lambda _, data: pieces.append(data))
    return pieces


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the remarks, on a terminal."""
    lines: list[str] = []
    monkeypatch.setattr(screen, "say", lines.append)
    monkeypatch.setattr(screen, "is_terminal", lambda _: True)
    return lines


def test_a_remark_begins_a_line_of_its_own(written: list[bytes], said: list[str]) -> None:
    one = Screen()
    one.write(b"half a line")
    one.remark("first")
    one.remark("second")
    one.write(b"a whole line\n")
    one.remark("third")
    one.write(b"Your name? ")
    one.begin_line()
    one.remark("fourth")
    assert said == ["", "first", "second", "third", "fourth"]
    assert written == [b"half a line", b"a whole line\n", b"Your name? "]


def test_a_remark_behind_an_interrupted_write_begins_a_line(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def write_half(_: int, __: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sockctl.client.screen.write_all", write_half)
    one = Screen()
    with pytest.raises(KeyboardInterrupt):
        one.write(b"half a line")
    one.remark("The connection has ended.")
    assert said == ["", "The connection has ended."]


def test_all_waits_above_the_prompt_and_comes_at_once(
    written: list[bytes], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    one = Screen()
    one.above_prompt = True
    one.write(b"hello\n")
    one.remark("a remark")
    assert capsys.readouterr().out == ""
    one.flush()
    assert capsys.readouterr().out == "hello\na remark\n"
    one.flush()
    assert capsys.readouterr().out == ""
    assert not written
    assert not said


def test_events_may_be_json(said: list[str]) -> None:
    Screen(Level.DETAIL, json=True).emit(Connecting(peer="[::1]:9090"))
    event = json.loads("".join(said))
    assert (event["event"], event["service"], event["peer"]) == ("connecting", "connect", "[::1]:9090")


@pytest.mark.parametrize(
    ("lowest", "names"),
    [
        (None, []),
        (Level.DETAIL, ["connecting", "input_ended", "tls_cut"]),
        (Level.INFO, ["input_ended", "tls_cut"]),
        (Level.WARNING, ["tls_cut"]),
        (Level.ERROR, []),
    ],
)
def test_events_below_the_level_are_left_out(said: list[str], lowest: Level | None, names: list[str]) -> None:
    one = Screen(lowest)
    for event in (Connecting(peer="[::1]:9090"), InputEnded(), TlsCut()):
        one.emit(event)
    shown = "\n".join(said)
    assert [name for name in ("connecting", "input_ended", "tls_cut") if name in shown] == names


@pytest.mark.parametrize(
    ("lowest", "at_once", "later"),
    [(Level.INFO, ["tls_cut"], ["input_ended"]), (Level.DETAIL, ["input_ended", "tls_cut"], [])],
)
def test_the_steps_of_a_try_are_shown_once_it_succeeds(
    said: list[str], lowest: Level, at_once: list[str], later: list[str]
) -> None:
    def take() -> list[str]:
        shown = "\n".join(said)
        said.clear()
        return [name for name in ("input_ended", "tls_cut") if name in shown]

    one = Screen(lowest)
    one.hold_events(hold=True)
    for event in (InputEnded(), TlsCut()):
        one.emit(event)
    assert take() == at_once
    one.hold_events(hold=False)
    assert take() == later
    one.hold_events(hold=True)
    one.emit(InputEnded())
    one.forget_events()
    take()
    one.hold_events(hold=False)
    assert take() == []


def test_a_reader_that_has_gone_is_no_failure_of_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "write", gone)
    error: OSError = BrokenPipeError()
    with pytest.raises(BrokenPipeError):
        Screen().write(b"x")
    error = OSError(9, "Bad file descriptor")
    with pytest.raises(StreamError, match="it is closed"):
        Screen().write(b"x")


def test_a_pipe_gets_long_lines_whole() -> None:
    one = Screen()
    one.person = False
    assert one.fold("word " * 100) == "word " * 100
