"""The account of a client's datagrams: which were answered, lost, late or out of order. It does no I/O.

UDP has no acknowledgements, so the account compares contents. An answer that equals a datagram of the client's own is
the answer to that one, as from an echo. The account knows the order and the repetitions of these alone. Any other
answer counts for the oldest datagram that waits.
"""

from collections import OrderedDict, deque
from typing import NamedTuple


class _Waiting(NamedTuple):
    key: int
    sent_at: float


class DatagramAnswers:
    """The account. Not thread-safe; times are seconds of one monotonic clock.

    Args:
        timeout_s: How long an answer may take.
        kept: Datagrams that may wait for an answer; and answered or lost ones that are recognised when they come again.

    Attributes:
        sent: Datagrams sent.
        received: Datagrams received.
        answered: Datagrams that got an answer in time.
        lost: Datagrams that got none in time, were refused, or did not go out.
        echoed: Answers that equal a datagram of the client's own.
        out_of_order: Echoes that came behind the answer to a later datagram.
        duplicates: Echoes that came once more.
        late: Echoes that came when their time was up.
    """

    def __init__(self, timeout_s: float, *, kept: int = 65_536) -> None:
        self._timeout_s = timeout_s
        self._kept = kept
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()  # by number, the oldest first
        self._numbers: dict[int, deque[int]] = {}  # those that wait, by the hash of their contents
        self._answered: OrderedDict[int, None] = OrderedDict()  # hashes, the oldest first
        self._expired: OrderedDict[int, None] = OrderedDict()
        self._highest = -1  # the number of the latest datagram that was answered
        self.sent = self.received = self.answered = self.lost = 0
        self.echoed = self.out_of_order = self.duplicates = self.late = 0

    @property
    def waiting(self) -> int:
        """Datagrams that wait for an answer."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether as many wait as can be kept."""
        return len(self._waiting) >= self._kept

    @property
    def due_at(self) -> float | None:
        """When the time of the oldest one that waits is up; None where none waits."""
        oldest = next(iter(self._waiting.values()), None)
        return None if oldest is None else oldest.sent_at + self._timeout_s

    def note_sent(self, data: bytes, now: float, *, awaits: bool = True) -> None:
        """Note that a datagram was sent; with `awaits` it is to be answered."""
        number = self.sent
        self.sent += 1
        if awaits:
            key = hash(data)
            self._waiting[number] = _Waiting(key, now)
            self._numbers.setdefault(key, deque()).append(number)

    def note_received(self, data: bytes, now: float) -> float | None:
        """Note that a datagram came; return the seconds since it was sent, where it is one of the client's own."""
        self.received += 1
        key = hash(data)
        if key in self._numbers:
            number = self._numbers[key][0]
            sent_at = self._take(number).sent_at
            self._remember(self._answered, key)
            self.echoed += 1
            self.answered += 1
            self.out_of_order += number < self._highest
            self._highest = max(self._highest, number)
            return now - sent_at
        if key in self._expired:
            del self._expired[key]
            self._remember(self._answered, key)
            self.echoed += 1
            self.late += 1
        elif key in self._answered:
            self.echoed += 1
            self.duplicates += 1
        elif self._waiting:
            self._take(next(iter(self._waiting)))
            self.answered += 1
        return None

    def expire(self, now: float) -> int:
        """Count the datagrams as lost whose time is up; return their number."""
        lost = 0
        while (due_at := self.due_at) is not None and now >= due_at:
            self._lose(next(iter(self._waiting)))
            lost += 1
        return lost

    def lose_all(self) -> None:
        """Count all waiting datagrams as lost: no server is there."""
        while self._waiting:
            self._lose(next(iter(self._waiting)))

    def lose_latest(self) -> None:
        """Count the one as lost that was sent last: it did not go out."""
        if self._waiting:
            self._lose(next(reversed(self._waiting)))

    def _lose(self, number: int) -> None:
        key = self._take(number).key
        self._remember(self._expired, key)
        self.lost += 1

    def _take(self, number: int) -> _Waiting:
        """Let a datagram wait no more."""
        found = self._waiting.pop(number)
        numbers = self._numbers[found.key]
        numbers.remove(number)
        if not numbers:
            del self._numbers[found.key]
        return found

    def _remember(self, where: OrderedDict[int, None], key: int) -> None:
        where[key] = None
        where.move_to_end(key)
        if len(where) > self._kept:
            where.popitem(last=False)
