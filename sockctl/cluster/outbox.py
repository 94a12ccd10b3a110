"""What a node posts, while it waits for the engine: bounded, and in order.

What the node posts for itself has no limit, as it posts little. A member's ``went`` is never refused: else the engine
would keep the name for ever. There is one at most for each claim, and claims are limited. What says in which rooms a
member is (`MOVES`) is not refused for its age: members would hear somebody who, for them, isn't there.
"""

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
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
        self._open: Counter[str] = Counter()  # of each member, what has a tag: until it is taken, or its refusal told
        self._size_bytes = 0
        self._is_closed = False

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

    def holds(self, member: str) -> bool:
        """Return whether something of a member with a tag waits, or is being refused."""
        return member in self._open

    def close(self) -> None:
        """Take no more of what members post."""
        with self._lock:
            self._is_closed = True

    def _fits(self, posting: Posting) -> bool:
        return (
            not self._is_closed
            and len(self._waiting) < self._limits.messages
            and self._size_bytes + len(posting.data) <= self._limits.size_bytes
            and self._of_member[posting.member] < self._limits.of_member
        )

    def take(self, count: int) -> list[Posting]:
        """Take the oldest postings, so many at most."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
            self._note_taken(taken)
        return taken

    def refuse_older(self, than: float, refuse: Callable[[Sequence[Posting]], None]) -> None:
        """Refuse the postings that were said before a time on the monotonic clock, but none that must not be refused.

        `holds` is true of their members until `refuse` has told them.
        """
        with self._lock:
            old = list(itertools.takewhile(lambda one: one.at < than, self._waiting))
            taken = [one for one in old if one.kind not in _AGELESS]
            if taken:
                kept = [one for one in old if one.kind in _AGELESS]
                self._waiting = deque([*kept, *itertools.islice(self._waiting, len(old), None)])
                self._note_taken(taken, are_open=True)
        try:
            refuse(taken)
        finally:
            with self._lock:
                self._note_settled(taken)

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
            if posting.tag is not None:
                self._open[posting.member] += 1

    def _note_taken(self, taken: Iterable[Posting], *, are_open: bool = False) -> None:
        for one in taken:
            if one.member:
                self._size_bytes -= len(one.data)
                self._of_member[one.member] -= 1
                if not self._of_member[one.member]:
                    del self._of_member[one.member]
        if not are_open:
            self._note_settled(taken)

    def _note_settled(self, taken: Iterable[Posting]) -> None:
        for one in taken:
            if one.member and one.tag is not None:
                self._open[one.member] -= 1
                if not self._open[one.member]:
                    del self._open[one.member]
