"""A bound on the memory for large messages of an echo, which may be 256 times larger than those of other services.

A message counts from when more than 64 KiB of it have come until its answer is sent. What is only announced takes no
memory, and doesn't count.
"""

import threading
from typing import Protocol

SMALL_BYTES = 65_536
"""As much may be kept for each client, as for any other service."""
LARGE_MESSAGES = 16
"""Large messages at once; each takes up to twice the size of a message, 512 MiB in all."""


class Keeper(Protocol):
    """A connection that may keep a large message."""

    @property
    def is_large(self) -> bool:
        """Whether it keeps more than `SMALL_BYTES` now. Any thread may ask."""


class LargeMessages:
    """The places for large messages. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the keepers; a leaf
        self._keepers: set[Keeper] = set()

    def take(self, keeper: Keeper) -> bool:
        """Take a place, unless the connection has one; return whether it has one now."""
        with self._lock:
            if keeper not in self._keepers and len(self._keepers) >= LARGE_MESSAGES:
                self._keepers = {one for one in self._keepers if one.is_large}
            if len(self._keepers) < LARGE_MESSAGES:
                self._keepers.add(keeper)
            return keeper in self._keepers

    def give_back(self, keeper: Keeper) -> None:
        """Give the place back, where the connection has one."""
        with self._lock:
            self._keepers.discard(keeper)
