"""The mode of the terminal around the line editor, and the signals that end the process meanwhile."""

import contextlib
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sockctl.interrupts import make_interrupt
from sockctl.terminal import STDIN, STDOUT, is_terminal

PAUSE_S = 0.5
"""A paste has no longer pauses, even where the machine or the line is busy."""
LONGEST_DISCARD_S = 5.0
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that end the process; the terminal is to be as it was before."""


def can_edit_lines() -> bool:
    """Return whether there is a terminal that can move its cursor."""
    dumb = os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}
    return not dumb and is_terminal(STDIN) and is_terminal(STDOUT)


def discard_input(descriptor: int) -> None:
    """Discard the bytes that were typed and not read, and those that follow without a pause: the rest of a paste."""
    until = time.monotonic() + LONGEST_DISCARD_S
    with contextlib.suppress(termios.error, OSError):
        termios.tcflush(descriptor, termios.TCIFLUSH)
        while time.monotonic() < until and select.select([descriptor], [], [], PAUSE_S)[0]:
            termios.tcflush(descriptor, termios.TCIFLUSH)


@contextlib.contextmanager
def as_typed() -> Iterator[None]:
    """Have the terminal pass on keys while there is no prompt: else it would show them, and swallow a Ctrl-D.

    A signal that ends the process raises KeyboardInterrupt; outside of the main thread, no signal does anything here.
    """
    with ending_signals(make_interrupt()), changed(_pass_on):  # in this order: none must leave it so
        yield


@contextlib.contextmanager
def ending_signals(handler: Callable[[int, Any], Any], *more: signal.Signals) -> Iterator[None]:
    """Handle the signals that end the process, and `more`, but for those that this process has inherited to ignore.

    Only a main thread can: in another one, all stays as is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [number for number in (*ENDING, *more) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextlib.contextmanager
def changed(change: Callable[[list[Any]], None]) -> Iterator[None]:
    """Change the attributes of the terminal, as `termios.tcgetattr` gives them; set the earlier ones at the end."""
    try:
        before = termios.tcgetattr(STDIN)
        after = [*before[:-1], [*before[-1]]]
        change(after)
        termios.tcsetattr(STDIN, termios.TCSANOW, after)
    except termios.error:  # it has gone: a read from it finds out
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(STDIN, termios.TCSANOW, before)


def _pass_on(attributes: list[Any]) -> None:
    attributes[3] &= ~(termios.ICANON | termios.ECHO)
