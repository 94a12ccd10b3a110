"""One thread waits for many connections at once, level-triggered, and for times finer than epoll's milliseconds."""

import select
from collections.abc import Callable

from sockctl.net.poller import Poller, open_poller

Handler = Callable[[int], None]
_COARSE_S = 0.002
"""epoll waits for whole milliseconds, and rounds up: for less, the loop waits with select() on epoll itself."""
_ROUNDED_S = 0.001
"""By so much a longer wait is shortened, so that it doesn't end too late; the next step waits for the rest."""


class Loop:
    """Calls the handler of each descriptor that is ready. One thread only.

    Args:
        poller: Waits for the descriptors; None for this system's best.
    """

    def __init__(self, poller: Poller | None = None) -> None:
        self._poller = open_poller() if poller is None else poller
        self._handlers: dict[int, Handler] = {}
        self._fileno: int | None = getattr(self._poller, "fileno", lambda: None)()

    def watch(self, descriptor: int, events: int, handler: Handler) -> None:
        """Call `handler` with the events that `descriptor` is ready for (see `sockctl.net.poller`), and with errors."""
        if descriptor in self._handlers:
            self._poller.modify(descriptor, events)
        else:
            self._poller.register(descriptor, events)
        self._handlers[descriptor] = handler

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no more. The caller closes it afterwards."""
        if self._handlers.pop(descriptor, None) is not None:
            self._poller.unregister(descriptor)

    def step(self, wait_s: float) -> None:
        """Wait for `wait_s` seconds at most, and call the handlers of the ready descriptors."""
        if self._fileno is not None and wait_s > 0:
            if wait_s < _COARSE_S:
                select.select([self._fileno], [], [], wait_s)
                wait_s = 0
            else:
                wait_s -= _ROUNDED_S
        handlers = self._handlers
        for descriptor, events in self._poller.poll(max(wait_s, 0)):
            handler = handlers.get(descriptor)
            if handler is not None:  # another one's work may have ended it
                handler(events)

    def close(self) -> None:
        """Free the poller."""
        self._poller.close()
