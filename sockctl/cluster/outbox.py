"""The messages of a node that wait for the engine, within bounds."""

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Posting:
    """Something that a member says, on its way to the log.

    Attributes:
        member: Who says it; the queue holds so many of one member at most.
        kind: The kind of its entry.
        data: What the entry holds.
        room: Its room; empty for none.
        lines: How many ids it takes.
        at: When it was said, on the monotonic clock.
        tag: Anything of the caller's, which comes back if the posting was not said.
    """

    member: str
    kind: str
    data: bytes
    room: str = ""
    lines: int = 1
    at: float = 0.0
    tag: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLimits:
    """The limits of a node's queue.

    Attributes:
        messages: Messages that wait.
        size_bytes: Their bytes.
        of_member: Messages of one member that wait.
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
        self.filled = threading.Event()  # set while postings wait

    def add(self, posting: Posting) -> bool:
        """Add a posting; return False for one that doesn't fit, and is not said."""
        with self._lock:
            size = self._size_bytes + len(posting.data)
            full = len(self._waiting) >= self._limits.messages or size > self._limits.size_bytes
            if full or self._of_member[posting.member] >= self._limits.of_member:
                return False
            self._waiting.append(posting)
            self._of_member[posting.member] += 1
            self._size_bytes = size
            self.filled.set()
        return True

    def take(self, count: int) -> list[Posting]:
        """Take the oldest postings, so many at most."""
        with self._lock:
            taken = [self._pop() for _ in range(min(count, len(self._waiting)))]
            if not self._waiting:
                self.filled.clear()
        return taken

    def take_older(self, than: float) -> list[Posting]:
        """Take the postings that were said before a time on the monotonic clock."""
        with self._lock:
            taken = []
            while self._waiting and self._waiting[0].at < than:
                taken.append(self._pop())
            if not self._waiting:
                self.filled.clear()
        return taken

    def _pop(self) -> Posting:
        posting = self._waiting.popleft()
        self._size_bytes -= len(posting.data)
        self._of_member[posting.member] -= 1
        if not self._of_member[posting.member]:
            del self._of_member[posting.member]
        return posting
