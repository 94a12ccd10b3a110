"""Typing without echo, on a pseudo-terminal of this process's own."""

import os
import signal
import termios

import pytest

from sockctl.client.tty.no_echo import NoEcho


def echoes(program: int) -> bool:
    return bool(termios.tcgetattr(program)[3] & termios.ECHO)


def test_hidden_as_long_as_the_context_lasts(ends: tuple[int, int]) -> None:
    person, program = ends
    hidden = NoEcho(program)
    for _ in range(2):
        with hidden.hidden():
            assert not echoes(program)
            os.write(person, b"swordfish\nahead")
            assert os.read(program, 100) == b"swordfish\n"
        assert echoes(program)
        os.write(person, b"\n")
        assert os.read(program, 100) == b"ahead\n", "what was typed ahead is kept"


def test_shown_again_after_an_error(ends: tuple[int, int]) -> None:
    with pytest.raises(KeyboardInterrupt), NoEcho(ends[1]).hidden():
        raise KeyboardInterrupt
    assert echoes(ends[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_nothing_of_a_secret_to_the_shell(ends: tuple[int, int], number: signal.Signals) -> None:
    person, program = ends
    ended = []
    before = signal.signal(number, lambda *_: ended.append(echoes(program)))
    try:
        with NoEcho(program).hidden():
            os.write(person, b"swordfish")
            signal.raise_signal(number)
            assert ended == [True]
    finally:
        signal.signal(number, before)
    os.write(person, b"\n")
    assert os.read(program, 100) == b"\n"


def test_an_ignored_signal_shows_nothing_of_a_secret(ends: tuple[int, int]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with NoEcho(ends[1]).hidden():
            signal.raise_signal(signal.SIGHUP)
            assert not echoes(ends[1])
    finally:
        signal.signal(signal.SIGHUP, before)


def test_hidden_again_when_a_stopped_job_goes_on(ends: tuple[int, int]) -> None:
    stopped = []
    before = signal.signal(signal.SIGTSTP, lambda *_: stopped.append(echoes(ends[1])))
    try:
        with NoEcho(ends[1]).hidden():
            for _ in range(2):
                signal.raise_signal(signal.SIGTSTP)
                assert not echoes(ends[1])
        assert stopped == [True, True]
        signal.raise_signal(signal.SIGTSTP)
        assert len(stopped) == 3, "the handler that was there before is there again"
    finally:
        signal.signal(signal.SIGTSTP, before)
    assert echoes(ends[1])


def test_no_terminal() -> None:
    reader, writer = os.pipe()
    with NoEcho(reader).hidden():
        os.write(writer, b"x")
    assert os.read(reader, 10) == b"x"
    os.close(reader)
    os.close(writer)
