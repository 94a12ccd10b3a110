"""The queue in front of the password hashes: each hash takes memory and a core, so only some run at once.

Three groups of sources (see `throttle`) take turns at the slots: sources that the account knows, sources without a
recent failure, and sources with one. So strangers who guess hold up neither a known device nor a new address.

Within a group the queue is fair to the networks, and within a network to the accounts, not to the tries. A stranger has
few of both, but any number of known devices: each login makes one. The network whose last turn is longest ago comes
next. A network without a turn counts from its first try on, even if the queue refused that try as `busy`. So a network
waits for one round over the others at most, and a try repeated after `retry_after` precedes all networks that had a
turn, or came, since. A full queue refuses the try of its group that would come last.

The throttle is asked without the queue's lock, for it may be in another process: once before a try joins the queue,
and again when the try has got a slot. A try must not exceed the free guesses even if all running tries fail. So such a
try gives its slot back and waits for their end, and others pass it.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sockctl.accounts.hash_turns import Group, Try, Turns
from sockctl.accounts.local_throttle import LocalThrottle
from sockctl.accounts.throttle import Throttle, Who
from sockctl.deadline import Deadline
from sockctl.errors import BusyError, StoreError, ThrottledError
from sockctl.os_limits import count_usable_cores

MAX_SLOTS = 4
"""The most hashes at once: each takes 64 MiB."""
FIRST_GUESS_S = 0.1
"""The assumed time of the first hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How long the queue may be.

    Attributes:
        of_source: Tries of one source that may wait.
        waiting: Tries of one group that may wait.
        patience_s: How long a try may wait.
        look_s: How often a waiting try checks that its client is still there.
    """

    of_source: int = 32
    waiting: int = 128
    patience_s: float = 10.0
    look_s: float = 0.25


LIMITS = QueueLimits()


class HashQueue:
    """The queue. Any thread may use it.

    Args:
        slots: How many hashes run at once; by default one a core, 4 at most.
        throttle: Counts failures; by default one of this process.
        limits: How long the queue may be.
    """

    def __init__(
        self, *, slots: int | None = None, throttle: Throttle | None = None, limits: QueueLimits = LIMITS
    ) -> None:
        self.slots = slots or min(MAX_SLOTS, count_usable_cores())
        self._limits = limits
        self._throttle: Throttle = throttle or LocalThrottle()
        self._lock = threading.Lock()  # guards all below
        self._waiting: list[Try] = []
        self._turns = Turns()
        self._running = 0
        self._last = Group.FAILED  # the group of the try that got the last slot
        self._hash_s = FIRST_GUESS_S

    @property
    def waiting(self) -> int:
        """How many tries wait."""
        with self._lock:
            return len(self._waiting)

    @property
    def running(self) -> int:
        """How many hashes run."""
        return self._running

    def know(self, whos: Iterable[Who]) -> None:
        """Note that the accounts logged in from these networks."""
        self._throttle.know(whos)

    @contextmanager
    def hold_slot(self, who: Who, *, guess: bool = True, given_up: Callable[[], bool] = lambda: False) -> Iterator[Try]:
        """Wait for a slot, hold it inside the block, and count the result that the block sets.

        Args:
            who: The source of the try.
            guess: Whether it is a try of a password; the hash of a new password is none.
            given_up: Returns whether the client has gone; called while the try waits, and must not block.

        Raises:
            ThrottledError: Too many tries have failed; the error says when to try again.
            BusyError: The queue is full, or was too slow.
            StoreError: The throttle is out of reach.
        """
        one = Try(who, guess)
        try:
            self._wait(one, given_up)
            began = time.monotonic()
            yield one
            took_s = time.monotonic() - began
        except BaseException:
            self._end(one, None)
            raise
        self._end(one, took_s)

    def _wait(self, one: Try, given_up: Callable[[], bool]) -> None:
        until = Deadline.after(self._limits.patience_s)
        one.group = self._assess(one)
        with self._lock:
            self._join(one)
            self._call_next()
        while not self._has_turn(one, until):
            gone = given_up() or until.has_passed
            if not gone:
                self._assess(one)
            with self._lock:
                if one.called.is_set():
                    continue
                if gone:
                    raise self._make_busy_error(one)
                one.is_held = False  # running tries at another server may have ended by now
                self._call_next()

    def _has_turn(self, one: Try, until: Deadline) -> bool:
        """Wait a moment for the call of a try; return whether it has a slot and the throttle admits it."""
        if not one.called.wait(min(self._limits.look_s, until.left_s)):
            return False
        if one.refusal is not None:
            raise one.refusal
        if not one.guess:
            return True
        admission = self._throttle.admit(one.who)
        if admission.wait_s > 0:
            raise _make_throttled_error(admission.wait_s)
        one.ticket = admission.ticket
        if not one.ticket:
            with self._lock:
                self._put_back(one)
        return bool(one.ticket)

    def _put_back(self, one: Try) -> None:
        """Take the slot from a try that must wait for others of its source; it keeps its place and its turns."""
        one.called.clear()
        one.has_slot, one.is_held = False, True
        self._running -= 1
        self._turns.give_back(one)
        self._waiting.append(one)
        self._call_next()

    def _end(self, one: Try, took_s: float | None) -> None:
        """Count the end of a try, and remove the try from the queue or its slot."""
        try:
            self._settle(one, finished=took_s is not None)
        finally:
            with self._lock:
                if one in self._waiting:
                    self._waiting.remove(one)
                if one.has_slot:
                    self._running -= 1
                    if took_s is not None:
                        self._hash_s += (took_s - self._hash_s) / 8
                for other in self._waiting:
                    other.is_held = other.is_held and not _is_of_one_source(one, other)
                self._call_next()

    def _settle(self, one: Try, *, finished: bool) -> None:
        if not one.ticket:
            return
        try:
            self._throttle.settle(one.who, one.ticket, right=one.right)
        except StoreError:
            if finished:
                raise  # a client must not learn the result of a guess that doesn't count

    def _assess(self, one: Try) -> Group:
        """Return the group of a try.

        Raises:
            ThrottledError: It must wait for past failures.
        """
        standing = self._throttle.assess(one.who)
        if one.guess and standing.wait_s > 0:
            raise _make_throttled_error(standing.wait_s)
        if standing.is_known:
            return Group.KNOWN
        return Group.FAILED if standing.failed_recently else Group.NEW

    def _join(self, one: Try) -> None:
        """Put a try into the queue; if that is full, refuse the try that would come last."""
        source = one.who.source
        own = [other for other in self._waiting if other.group is one.group]
        if sum(other.who.source == source for other in own) >= self._limits.of_source:
            raise self._make_busy_error(one)
        self._turns.note_coming(one)
        self._waiting.append(one)
        if len(own) < self._limits.waiting:
            return
        last = self._sort(one.group)[-1]
        refusal = self._make_busy_error(last)
        if last is one:
            raise refusal
        self._waiting.remove(last)
        last.refusal = refusal
        last.called.set()

    def _sort(self, group: Group) -> list[Try]:
        """Return the waiting tries of a group, the next one first."""
        return self._turns.sort([one for one in self._waiting if one.group is group])

    def _call_next(self) -> None:
        """Give the free slots to the tries whose turn it is."""
        while self._running < self.slots and (one := self._pick_next()) is not None:
            self._waiting.remove(one)
            self._running += 1
            self._last = one.group
            one.has_slot = True
            self._turns.take(one)
            one.called.set()

    def _pick_next(self) -> Try | None:
        for step in range(1, len(Group) + 1):
            for one in self._sort(Group((self._last + step) % len(Group))):
                if not one.is_held:
                    return one
        return None

    def _make_busy_error(self, one: Try) -> BusyError:
        """Return the error that refuses a try, with the estimated time until its turn."""
        order = self._sort(one.group)
        before = order.index(one) if one in order else len(order)
        groups = len({one.group, *(other.group for other in self._waiting)})
        seconds = max(1, math.ceil((before + 1) * groups * self._hash_s / self.slots))
        return BusyError(f"Too many people log in at once: try again in {seconds} s.", retry_after_s=seconds)


def _is_of_one_source(one: Try, other: Try) -> bool:
    return one.who.network == other.who.network or one.who.source == other.who.source


def _make_throttled_error(wait_s: float) -> ThrottledError:
    seconds = math.ceil(wait_s)
    return ThrottledError(f"Too many tries have failed: try again in {seconds} s.", retry_after_s=seconds)
