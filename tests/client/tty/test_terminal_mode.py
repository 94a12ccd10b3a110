"""Tests for `sockctl.client.tty.terminal_mode`."""

import os
import signal
import threading

import pytest

from sockctl.client.tty import terminal_mode
from sockctl.client.tty.terminal_mode import ENDING, can_edit_lines, discard_input, ending_signals


@pytest.mark.parametrize(
    ("term", "descriptors", "can"),
    [
        ("xterm", {0, 1}, True),
        ("xterm", {0}, False),
        ("xterm", {1}, False),
        ("dumb", {0, 1}, False),
        ("unknown", {0, 1}, False),
        ("", {0, 1}, False),
        (None, {0, 1}, False),
    ],
)
def test_where_lines_can_be_edited(
    monkeypatch: pytest.MonkeyPatch, term: str | None, descriptors: set[int], can: bool
) -> None:
    monkeypatch.delenv("TERM", raising=False)
    if term is not None:
        monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(terminal_mode, "is_terminal", descriptors.__contains__)
    assert can_edit_lines() is can


def test_the_rest_of_a_paste_is_discarded(ends: tuple[int, int]) -> None:
    person, program = ends
    os.write(person, b"rm -r\nhalf a line")
    discard_input(program)
    os.write(person, b"typed later\n")
    assert os.read(program, 100) == b"typed later\n"


def test_what_is_no_terminal_keeps_its_input() -> None:
    near, far = os.pipe()
    os.write(far, b"kept")
    discard_input(near)
    assert os.read(near, 100) == b"kept"
    os.close(near)
    os.close(far)


@pytest.mark.parametrize("number", ENDING)
def test_ending_signals_are_handled_inside_only(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    came: list[int] = []
    with ending_signals(lambda number, _: came.append(number)):
        signal.raise_signal(number)
    assert came == [number]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", ENDING)
def test_an_ignored_signal_stays_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with ending_signals(signal.default_int_handler):
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_handlers_come_back_after_an_error() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    with pytest.raises(KeyboardInterrupt), ending_signals(signal.default_int_handler):
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in ENDING] == before


def test_another_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    during: list[object] = []

    def run() -> None:
        with ending_signals(lambda *_: None):
            during.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert during == [before]
