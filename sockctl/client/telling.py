"""Shows the events of a client, at once and on standard error, so that they stand where they happened."""

import time
from collections.abc import Callable

from sockctl.client.screen import Screen
from sockctl.events.base import Event, Level
from sockctl.terminal import wants_colour

__all__ = ["Tell", "teller"]

Tell = Callable[[Event], None]


def teller(screen: Screen, *, wanted: bool, details: bool) -> Tell:
    """Return what shows events.

    Args:
        screen: Where to.
        wanted: Whether any are shown at all.
        details: Whether those are shown, too, that tell details.
    """
    if not wanted:
        return _keep_quiet
    from sockctl.events.record import Record
    from sockctl.events.sinks import as_plain_text, as_terminal_text

    show = as_terminal_text if wants_colour() else as_plain_text
    lowest = Level.DETAIL if details else Level.INFO

    def tell(event: Event) -> None:
        if event.level >= lowest:
            screen.remark(show(Record(time.time(), "connect", event)))

    return tell


def _keep_quiet(_: Event) -> None:
    """Tell nothing: in a pipe, only the data counts."""
