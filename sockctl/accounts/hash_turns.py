"""The tries that wait for a hash, and the order in which their networks and accounts take turns (see `hash_queue`)."""

import enum
import itertools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sockctl.accounts.throttle import BoundedTable, Who
from sockctl.errors import LoginError


class Group(enum.IntEnum):
    """What the throttle knows of the source of a try."""

    KNOWN = 0
    NEW = 1
    FAILED = 2


Turn = tuple[Group, str, str]
"""The key of a turn in a group: a network, and an account that it tries; empty for all accounts."""


@dataclass(slots=True, eq=False)
class Try:
    """One use of the hash, most often a try of a password.

    Attributes:
        who: The source and the account.
        guess: Whether it is a try of a password, whose result counts.
        right: Whether the password was right; None if that isn't known.
        group: The group of its source.
        number: Its place among the tries, by their coming.
        called: Set when the try gets a slot, or a refusal.
        refusal: The error that refuses it.
        has_slot: Whether it holds a slot.
        turns: The turns of its network and its account before it got the slot.
        is_held: Whether it waits for the end of running tries of its source.
        ticket: The throttle's ticket, once it is admitted.
    """

    who: Who
    guess: bool
    right: bool | None = None
    group: Group = Group.NEW
    number: int = 0
    called: threading.Event = field(default_factory=threading.Event)
    refusal: LoginError | None = None
    has_slot: bool = False
    turns: dict[Turn, int] = field(default_factory=dict)
    is_held: bool = False
    ticket: str = ""


class Turns:
    """Remembers who had a turn, or came, longest ago. Not thread-safe."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._turns: BoundedTable[Turn, int] = BoundedTable()  # a smaller number had its turn, or came, earlier

    def note_coming(self, one: Try) -> None:
        """Give a try its number; a network or an account without a turn counts from now on."""
        for turn in _make_turns(one):
            if turn not in self._turns:
                self._turns.put(turn, next(self._numbers))
        one.number = next(self._numbers)

    def take(self, one: Try) -> None:
        """Note the turn of a try."""
        one.turns = {turn: self._turns.get(turn, 0) for turn in _make_turns(one)}
        for turn in one.turns:
            self._turns.put(turn, next(self._numbers))

    def give_back(self, one: Try) -> None:
        """Forget the turn that a try took last."""
        for turn, number in one.turns.items():
            self._turns.put(turn, number)

    def sort(self, tries: list[Try]) -> list[Try]:
        """Return tries of one group, the next one first."""
        tries = sorted(tries, key=lambda one: one.number)
        return self._alternate(self._alternate(tries, _make_account_turn), _make_network_turn)

    def _alternate(self, tries: list[Try], turn_of: Callable[[Try], Turn]) -> list[Try]:
        """Return tries in an order in which turns alternate, and tries of one turn keep their order."""
        rounds: Counter[Turn] = Counter()
        ranks: dict[Try, tuple[int, int]] = {}
        for one in tries:
            turn = turn_of(one)
            ranks[one] = rounds[turn], self._turns.get(turn, 0)
            rounds[turn] += 1
        return sorted(tries, key=ranks.__getitem__)


def _make_turns(one: Try) -> tuple[Turn, Turn]:
    return _make_network_turn(one), _make_account_turn(one)


def _make_network_turn(one: Try) -> Turn:
    return one.group, one.who.network, ""


def _make_account_turn(one: Try) -> Turn:
    return one.group, one.who.network, one.who.account
