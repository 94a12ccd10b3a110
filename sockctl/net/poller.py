"""Waits for many descriptors at once: by epoll if the system has it, else by `selectors` (kqueue on macOS).

This calls epoll directly, which was measured to matter: the loop of `selectors` over the ready descriptors costs the
echo a tenth of its speed.
"""

import select
import selectors
from typing import Protocol

READABLE = 0x001
"""There are bytes to read, or the input has ended. The value is EPOLLIN's."""
WRITABLE = 0x004
"""Bytes can be sent. The value is EPOLLOUT's."""

BROKEN = 0x008
"""The connection is broken; reported whether asked for or not. The value is EPOLLERR's."""


class Poller(Protocol):
    """The part of epoll that an event loop needs. Level-triggered: it reports a descriptor as long as it is ready."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch a descriptor; with 0, only for a broken connection, as far as the system tells that."""

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Watch it for something else from now on."""

    def unregister(self, fd: int, /) -> None:
        """Watch it no more."""

    def poll(self, timeout: float | None = None, maxevents: int = -1, /) -> list[tuple[int, int]]:
        """Wait at most `timeout` seconds (None: without end) and return the ready descriptors with their events.

        It returns at most `maxevents` of them, the longest ready ones; -1 for any number.
        """

    def close(self) -> None:
        """Free it."""


class SelectorPoller:
    """A `Poller` over the standard library's selectors, for systems without epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._idle: set[int] = set()  # watched for nothing, which selectors don't know

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch a descriptor."""
        if eventmask:
            self._selector.register(fd, _to_selector(eventmask))
        else:
            self._idle.add(fd)

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Watch it for something else from now on."""
        self.unregister(fd)
        self.register(fd, eventmask)

    def unregister(self, fd: int, /) -> None:
        """Watch it no more."""
        if fd in self._idle:
            self._idle.remove(fd)
        else:
            self._selector.unregister(fd)

    def poll(self, timeout: float | None = None, maxevents: int = -1, /) -> list[tuple[int, int]]:  # noqa: ARG002
        """Wait and return all that is ready, as epoll does."""
        return [(key.fd, _from_selector(mask)) for key, mask in self._selector.select(timeout)]

    def close(self) -> None:
        """Free it."""
        self._selector.close()


def open_poller() -> Poller:
    """Return this system's poller."""
    return select.epoll() if hasattr(select, "epoll") else SelectorPoller()


def _to_selector(mask: int) -> int:
    return (selectors.EVENT_READ if mask & READABLE else 0) | (selectors.EVENT_WRITE if mask & WRITABLE else 0)


def _from_selector(mask: int) -> int:
    return (READABLE if mask & selectors.EVENT_READ else 0) | (WRITABLE if mask & selectors.EVENT_WRITE else 0)
