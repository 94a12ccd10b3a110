"""The queue in front of the password hashes: each hash takes memory and a core, so only some run at once.

Three groups of sources (see `throttle`) take turns at the slots: sources that the account knows, sources without a
recent failure, and sources with one. So strangers who guess hold up neither a known device nor a new address.

Within a group the queue is fair to the networks, and within a network to the accounts, not to the tries. A stranger has
few of both, but any number of known devices: each login makes one. The network whose last turn is longest ago comes
next. A network without a turn counts from its first try on, even if the queue refused that try as `busy`. So a network
waits for one round over the others at most, and a try repeated after `retry_after` precedes all networks that had a
turn, or came, since. A full queue refuses the try of its group that would come last.

A try must not exceed the free guesses even if all running tries fail: it waits for their end, and others pass it.
"""

import enum
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sockctl.accounts.throttle import PENALTIES, BoundedTable, Penalties, Throttle, Who
from sockctl.deadline import Deadline
from sockctl.errors import BusyError, LoginError, ThrottledError
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


class Group(enum.IntEnum):
    """What the throttle knows of the source of a try."""

    KNOWN = 0
    NEW = 1
    FAILED = 2


_Turn = tuple[Group, str, str]
"""The key of a turn in a group: a network, and an account that it tries; empty for all accounts."""


@dataclass(slots=True, eq=False)
class Try:
    """One use of the hash, most often a try of a password.

    Attributes:
        who: The source and the account.
        guess: Whether it is a try of a password, whose result counts.
        right: Whether the password was right; None if that isn't known.
        group: The group of its source.
        called: Set when the try gets a slot, or a refusal.
        refusal: The error that refuses it.
        release: Ends its reservation, once it has a slot.
    """

    who: Who
    guess: bool
    right: bool | None = None
    group: Group = Group.NEW
    called: threading.Event = field(default_factory=threading.Event)
    refusal: LoginError | None = None
    release: Callable[[], None] | None = None


class HashQueue:
    """The queue. Any thread may use it.

    Args:
        slots: How many hashes run at once; by default one a core, 4 at most.
        clock: Returns monotonic seconds, for the throttle.
        limits: How long the queue may be.
        penalties: What failures cost.
    """

    def __init__(
        self,
        *,
        slots: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: QueueLimits = LIMITS,
        penalties: Penalties = PENALTIES,
    ) -> None:
        self.slots = slots or min(MAX_SLOTS, count_usable_cores())
        self._limits = limits
        self._lock = threading.Lock()  # guards all below
        self._throttle = Throttle(clock, penalties)
        self._waiting: list[Try] = []
        self._numbers = itertools.count(1)
        self._turns: BoundedTable[_Turn, int] = BoundedTable()  # a smaller number had its turn, or came, earlier
        self._running = 0
        self._last = Group.FAILED  # the group of the try that got the last slot
        self._hash_s = FIRST_GUESS_S

    @property
    def waiting(self) -> int:
        """How many tries wait."""
        with self._lock:
            return len(self._waiting)

    def know(self, who: Who) -> None:
        """Note that the account logged in from the network."""
        with self._lock:
            self._throttle.know(who)

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
        with self._lock:
            self._refuse_throttled(one)
            one.group = self._find_group(one.who)
            self._join(one)
            self._call_next()
        while not one.called.wait(min(self._limits.look_s, until.left_s)):
            gone = given_up() or until.has_passed
            with self._lock:
                if one.called.is_set():
                    break
                if gone:
                    raise self._make_busy_error(one)
                self._refuse_throttled(one)
                self._call_next()  # a penalty may be over by now
        if one.refusal is not None:
            raise one.refusal

    def _end(self, one: Try, took_s: float | None) -> None:
        """Remove a try from the queue or its slot, and count its end."""
        with self._lock:
            if one in self._waiting:
                self._waiting.remove(one)
            if one.release is not None:
                self._running -= 1
                one.release()
                if took_s is not None:
                    self._hash_s += (took_s - self._hash_s) / 8
                if one.guess and one.right is not None:
                    (self._throttle.count_success if one.right else self._throttle.count_failure)(one.who)
            self._call_next()

    def _find_group(self, who: Who) -> Group:
        if self._throttle.is_known(who):
            return Group.KNOWN
        return Group.FAILED if self._throttle.failed_recently(who) else Group.NEW

    def _join(self, one: Try) -> None:
        """Put a try into the queue; if that is full, refuse the try that would come last."""
        source = one.who.source
        own = [other for other in self._waiting if other.group is one.group]
        if sum(other.who.source == source for other in own) >= self._limits.of_source:
            raise self._make_busy_error(one)
        for turn in (_make_network_turn(one), _make_account_turn(one)):
            if turn not in self._turns:
                self._turns.put(turn, next(self._numbers))
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
        waiting = [one for one in self._waiting if one.group is group]
        return self._alternate(self._alternate(waiting, _make_account_turn), _make_network_turn)

    def _alternate(self, tries: list[Try], turn_of: Callable[[Try], _Turn]) -> list[Try]:
        """Return tries in an order in which turns alternate, and tries of one turn keep their order."""
        rounds: Counter[_Turn] = Counter()
        ranks: dict[Try, tuple[int, int]] = {}
        for one in tries:
            turn = turn_of(one)
            ranks[one] = rounds[turn], self._turns.get(turn, 0)
            rounds[turn] += 1
        return sorted(tries, key=ranks.__getitem__)

    def _call_next(self) -> None:
        """Give the free slots to the tries whose turn it is."""
        while self._running < self.slots and (one := self._pick_next()) is not None:
            self._waiting.remove(one)
            self._running += 1
            self._last = one.group
            for turn in (_make_network_turn(one), _make_account_turn(one)):
                self._turns.put(turn, next(self._numbers))
            one.release = self._throttle.reserve(one.who) if one.guess else lambda: None
            one.called.set()

    def _pick_next(self) -> Try | None:
        for step in range(1, len(Group) + 1):
            for one in self._sort(Group((self._last + step) % len(Group))):
                if not one.guess or self._throttle.may_start(one.who):
                    return one
        return None

    def _refuse_throttled(self, one: Try) -> None:
        wait_s = self._throttle.compute_wait_s(one.who) if one.guess else 0.0
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise ThrottledError(f"Too many tries have failed: try again in {seconds} s.", retry_after_s=seconds)

    def _make_busy_error(self, one: Try) -> BusyError:
        """Return the error that refuses a try, with the estimated time until its turn."""
        order = self._sort(one.group)
        before = order.index(one) if one in order else len(order)
        groups = len({one.group, *(other.group for other in self._waiting)})
        seconds = max(1, math.ceil((before + 1) * groups * self._hash_s / self.slots))
        return BusyError(f"Too many people log in at once: try again in {seconds} s.", retry_after_s=seconds)


def _make_network_turn(one: Try) -> _Turn:
    return one.group, one.who.network, ""


def _make_account_turn(one: Try) -> _Turn:
    return one.group, one.who.network, one.who.account
