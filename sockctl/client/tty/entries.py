"""The entries of the line editor, on their way to the thread that waits for them."""

import contextlib
import socket
from collections import deque

MAX_ENTRIES = 1_000
"""Entries that may wait; the editor keeps further ones."""


class Entries:
    """A queue that a loop can wait for as for any input. One thread puts, one takes."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._far, self._near = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._ended = False
        self._is_typing = False

    def fileno(self) -> int:
        """Return the descriptor that is readable when something waits."""
        return self._far.fileno()

    @property
    def is_full(self) -> bool:
        """Whether there is no more place."""
        return len(self._waiting) >= MAX_ENTRIES

    def put(self, text: str) -> None:
        """Add an entry, if there is a place for it."""
        if not self.is_full:
            self._waiting.append(text)
            self._wake()

    def note_typing(self) -> None:
        """Note that the user types."""
        self._is_typing = True
        self._wake()

    def end(self) -> None:
        """Put the end behind all entries."""
        self._ended = True
        self._wake()

    def take(self) -> tuple[list[str], bool, bool]:
        """Return the entries that wait, whether the user has typed since the last time, and whether none follow.

        The call that returns the end returns all entries from before it.
        """
        is_typing, ended = self._is_typing, self._ended
        self._is_typing = False
        with contextlib.suppress(OSError):
            self._far.recv(65_536)
        return [self._waiting.popleft() for _ in range(len(self._waiting))], is_typing, ended

    def close(self) -> None:
        """Close the descriptors; nobody takes an entry that is put later."""
        self._near.close()
        self._far.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it was woken often enough, or has ended
            self._near.send(b"x")
