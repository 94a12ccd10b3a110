"""What a node posts, while it waits for the engine: bounded, and in order.

What the node posts for itself has no limit, as it posts little. A member's ``went`` is never refused: else the engine
would keep the name for ever. There is one at most for each claim, and claims are limited. What says in which rooms a
member is (`MOVES`) is not refused for its age: members would hear somebody who, for them, isn't there.
"""

import itertools
import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from sockctl.cluster.posting import MOVES, WENT, Posting

_AGELESS = MOVES | {WENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLimits:
    """The limits of what members post.

    Attributes:
        messages: Postings that wait.
        size_bytes: Their bytes.
        of_member: Postings of one member that wait.
    """

    messages: int = 10_000
    size_bytes: int = 4 << 20
    of_member: int = 100


LIMITS = OutboxLimits()


class Outbox:
    """A queue of postings. Any thread may use it; it never blocks."""

    def __init__(self, limits: OutboxLimits = LIMITS) -> None:
        self._limits = limits
        self._lock = threading.Lock()  # guards what follows; a leaf
        self._waiting: deque[Posting] = deque()
        self._of_member: Counter[str] = Counter()
        self._size_bytes = 0

    @property
    def length(self) -> int:
        """How many postings wait."""
        return len(self._waiting)

    def add(self, posting: Posting, *, first: bool = False) -> bool:
        """Add a posting, with `first` in front of all; return False for one that doesn't fit, and is not said."""
        with self._lock:
            if first:
                self._waiting.appendleft(posting)
                self._note_added(posting)
                return True
            if posting.member and posting.kind != WENT and not self._fits(posting):
                return False
            self._waiting.append(posting)
            self._note_added(posting)
        return True

    def _fits(self, posting: Posting) -> bool:
        return (
            len(self._waiting) < self._limits.messages
            and self._size_bytes + len(posting.data) <= self._limits.size_bytes
            and self._of_member[posting.member] < self._limits.of_member
        )

    def take(self, count: int) -> list[Posting]:
        """Take the oldest postings, so many at most."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
            self._note_taken(taken)
        return taken

    def take_older(self, than: float) -> list[Posting]:
        """Take the postings that were said before a time on the monotonic clock, but none that must not be refused."""
        with self._lock:
            old = list(itertools.takewhile(lambda one: one.at < than, self._waiting))
            taken = [one for one in old if one.kind not in _AGELESS]
            if taken:
                kept = [one for one in old if one.kind in _AGELESS]
                self._waiting = deque([*kept, *itertools.islice(self._waiting, len(old), None)])
                self._note_taken(taken)
        return taken

    def put_back(self, taken: Iterable[Posting]) -> None:
        """Put postings back that were taken last, whatever waits by now."""
        with self._lock:
            back = list(taken)
            self._waiting.extendleft(reversed(back))
            for one in back:
                self._note_added(one)

    def take_all(self) -> list[Posting]:
        """Take all postings."""
        return self.take(len(self._waiting))

    def remove(self, posting: Posting) -> None:
        """Remove a posting, if it still waits."""
        with self._lock:
            if posting in self._waiting:
                self._waiting.remove(posting)
                self._note_taken([posting])

    def _note_added(self, posting: Posting) -> None:
        if posting.member:
            self._of_member[posting.member] += 1
            self._size_bytes += len(posting.data)

    def _note_taken(self, taken: Iterable[Posting]) -> None:
        for one in taken:
            if one.member:
                self._size_bytes -= len(one.data)
                self._of_member[one.member] -= 1
                if not self._of_member[one.member]:
                    del self._of_member[one.member]
