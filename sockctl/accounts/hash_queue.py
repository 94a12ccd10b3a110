"""The line in front of the password hashes: each takes memory and a core, so only so many run at once.

Who comes waits in line, in order, or is told at once that it is too long. Whoever would try a guess too many, should
all that is being tried right now fail, stays in line until that is known; others pass.

Who has got in lately from the same address has places of its own, and every other slot while both wait: strangers who
fill the line don't lock it out.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sockctl.accounts.throttle import Throttle, Who
from sockctl.cores import usable_cores
from sockctl.errors import BusyError, ThrottledError

__all__ = ["HashQueue", "Try"]

MAX_SLOTS = 4
"""Each takes 64 MiB."""
WAITING = 32
"""How many may wait in line: strangers, and as many who are known."""
PATIENCE_S = 10.0
"""How long each of them may."""
LOOK_S = 0.25
"""How often those in line look whether their client is still there."""
FIRST_GUESS_S = 0.1
"""How long a hash takes, before any was timed."""


@dataclass(slots=True, eq=False)
class Try:
    """One try of a password.

    Attributes:
        who: Whose; None where nothing is guessed.
        right: Whether it was right; None where that isn't known.
        known: Whether this account has got in lately from this address.
    """

    who: Who | None
    right: bool | None = None
    known: bool = False


class HashQueue:
    """The line. Any thread may use it.

    Args:
        slots: How many hashes run at once; by default one a core, 4 at most.
        clock: Returns the time in seconds, for the throttle; one that nobody sets.
    """

    def __init__(self, *, slots: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.slots = slots or min(MAX_SLOTS, usable_cores())
        self._changed = threading.Condition()  # guards all below
        self._throttle = Throttle(clock)
        self._line: list[Try] = []
        self._running = 0
        self._last_known = False  # whether who got the last slot was known
        self._hash_s = FIRST_GUESS_S

    def know(self, who: Who) -> None:
        """Take note that `who` has got in lately."""
        with self._changed:
            self._throttle.know(who)

    @contextmanager
    def slot(self, who: Who | None, *, given_up: Callable[[], bool] = lambda: False) -> Iterator[Try]:
        """Wait for a slot, hold it inside the block, and count what the block says of the try.

        Args:
            who: Who tries; None where nothing is guessed.
            given_up: Whether the client has gone; asked while it waits, and must not block.

        Raises:
            ThrottledError: Too much has failed; the error says when to try again.
            BusyError: The line is too long, or was too slow.
        """
        one = Try(who)
        unreserve = self._wait(one, given_up)
        began = time.monotonic()
        try:
            yield one
        finally:
            with self._changed:
                self._running -= 1
                unreserve()
                self._hash_s += (time.monotonic() - began - self._hash_s) / 8
                if who is not None and one.right is not None:
                    (self._throttle.succeeded if one.right else self._throttle.failed)(who)
                self._changed.notify_all()

    def _wait(self, one: Try, given_up: Callable[[], bool]) -> Callable[[], None]:
        """Wait in line for a slot, and take it; return what ends the reservation, to be called under the lock."""
        until = time.monotonic() + PATIENCE_S
        with self._changed:
            self._refuse_throttled(one)
            one.known = one.who is not None and self._throttle.is_known_pair(one.who)
            if sum(other.known is one.known for other in self._line) >= WAITING:
                raise self._busy()
            self._line.append(one)
            try:
                while self._next() is not one:
                    left_s = until - time.monotonic()
                    if left_s <= 0 or given_up():
                        raise self._busy()
                    self._changed.wait(min(LOOK_S, left_s))
                    self._refuse_throttled(one)
            finally:
                self._line.remove(one)
                self._changed.notify_all()  # there may be a slot for the next in line, too
            self._running += 1
            self._last_known = one.known
            return self._throttle.reserve(one.who) if one.who is not None else _nothing

    def _next(self) -> Try | None:
        """Return who is to have the next slot, if there is one."""
        if self._running >= self.slots:
            return None
        for known in (not self._last_known, self._last_known):
            for one in self._line:
                if one.known is known and (one.who is None or self._throttle.may_start(one.who)):
                    return one
        return None

    def _refuse_throttled(self, one: Try) -> None:
        wait_s = 0.0 if one.who is None else self._throttle.wait_s(one.who)
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise ThrottledError(f"Too many tries have failed: try again in {seconds} s.", retry_after_s=seconds)

    def _busy(self) -> BusyError:
        seconds = max(1, math.ceil(len(self._line) * self._hash_s / self.slots))
        return BusyError(f"Too many people log in at once: try again in {seconds} s.", retry_after_s=seconds)


def _nothing() -> None:
    """Nothing was reserved."""
