"""The terminal as the server's program sees it: raw, so that each key goes there, and bytes are shown as they are."""

import contextlib
import os
import termios
from collections.abc import Iterator
from typing import Any

from sockctl.client.screen import Screen
from sockctl.client.tty.terminal_mode import changed, ending_signals
from sockctl.interrupts import make_interrupt
from sockctl.terminal import STDIN

LEAVE_KEY = b"\x1d"
"""Ctrl-], with which telnet lets its user out, too."""


@contextlib.contextmanager
def raw_terminal(screen: Screen, *, quiet: bool) -> Iterator[None]:
    """Pass on each key, Ctrl-C too. Ctrl-] and signals that end the process raise KeyboardInterrupt.

    Args:
        screen: Says how to leave, and that the connection has ended.
        quiet: Whether to say nothing.
    """
    if not quiet:
        screen.remark("Each key goes to the server. Ctrl-] ends the connection.")
    try:
        with ending_signals(make_interrupt()), changed(_make_raw):  # in this order: none must leave it so
            yield
    finally:
        if not quiet:
            screen.remark("The connection has ended.")


def _make_raw(attributes: list[Any]) -> None:
    """Make the attributes those of cfmakeraw(), but for the one key that makes a signal."""
    characters = attributes[6]
    attributes[0] &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP)
    attributes[0] &= ~(termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
    attributes[1] &= ~termios.OPOST
    attributes[2] = attributes[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    attributes[3] = attributes[3] & ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN) | termios.ISIG
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    characters[termios.VINTR] = LEAVE_KEY
    characters[termios.VQUIT] = characters[termios.VSUSP] = os.fpathconf(STDIN, "PC_VDISABLE")
