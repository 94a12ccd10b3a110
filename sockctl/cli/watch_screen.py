"""Watches a server on a terminal, with Rich's Live: a picture as often as the user wants, and keys at any time."""

import contextlib
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sockctl.cli.watch_picture import Picture
from sockctl.cli.watch_view import View
from sockctl.errors import StreamError
from sockctl.net.control.client import ControlClient, Snapshot
from sockctl.terminal import STDIN, STDOUT, measure_terminal, wants_colour

if TYPE_CHECKING:
    from sockctl.client.tty.keyboard import Keyboard

LOOK_S = 0.2
"""How often the size of the terminal is looked at."""
SILENT_S = 3
"""Seconds after which the user is told that the server hasn't answered."""
ESCAPE_S = 0.05
"""How long a key may take whose sequence begins with Escape."""


def show(client: ControlClient, view: View, interval_s: float) -> None:
    """Show a server until the user quits.

    Raises:
        ServerGoneError: The server has stopped.
        ControlError: The server refuses.
    """
    from rich.console import Console, ConsoleDimensions
    from rich.live import Live

    from sockctl.client.tty.background import NOT_ASKED
    from sockctl.client.tty.keyboard import Keyboard
    from sockctl.client.tty.terminal_mode import as_typed

    colour = wants_colour(STDOUT)
    console = Console(highlight=False, markup=False, emoji=False, no_color=not colour)
    with as_typed(), _never_stopped(), Live(console=console, screen=True, auto_refresh=False) as live:
        keyboard = Keyboard(sys.stdin, NOT_ASKED)
        last: Snapshot | None = None
        size = (0, 0)
        ask_at, asked, asked_at = time.monotonic(), False, 0.0
        while not view.is_over:
            now = time.monotonic()
            if not asked and now >= ask_at:
                client.ask()
                asked, asked_at, ask_at = True, now, max(now, ask_at + interval_s)
            wait_s = LOOK_S if asked else max(0.0, min(LOOK_S, ask_at - now))
            ready = select.select([STDIN, client.fileno()], [], [], wait_s)[0]
            changed = size != (size := measure_terminal(STDOUT))
            silent_s = int(time.monotonic() - asked_at) if asked else 0
            if silent_s != view.silent_s and (silent_s >= SILENT_S or view.silent_s):
                view.silent_s, changed = silent_s if silent_s >= SILENT_S else 0, True
            if STDIN in ready:
                _press_all(keyboard, view)
                changed = True
            if client.fileno() in ready and (snapshot := client.receive()) is not None:
                view.picture = Picture(snapshot, last)
                last, asked, changed = snapshot, False, True
            if changed:
                console.size = ConsoleDimensions(*size)  # else Rich believes COLUMNS and LINES, which never change
                live.update(view.render(*size), refresh=True)


def _press_all(keyboard: "Keyboard", view: View) -> None:
    """Give the view the keys that wait.

    Raises:
        StreamError: The terminal has gone.
    """
    keys = keyboard.read_keys()
    if not keys and select.select([STDIN], [], [], ESCAPE_S)[0]:
        keys = keyboard.read_keys()
    if not keys:
        keys = keyboard.flush_keys()  # Escape alone
    if keyboard.closed:
        raise StreamError("The terminal has gone.")
    for press in keys:
        view.press(str(getattr(press.key, "value", press.key)))


@contextlib.contextmanager
def _never_stopped() -> Iterator[None]:
    """Ignore Ctrl-Z: the shell would get a terminal that shows this screen, and echoes nothing."""
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)
