"""The checker of what members do besides talking: it must fail on each kind of fault."""

from collections.abc import Callable

import pytest

from tests.support.chat_checker import check
from tests.support.transcript import (
    Arrived,
    Came,
    Event,
    Heard,
    Moved,
    Overheard,
    Refused,
    Returned,
    Sent,
    Topic,
    Transcript,
    Went,
    Written,
)

ROOM, ATTIC = "#lobby", "#attic"
NAMES = ("ann", "bob", "cem")
PRIVATE = "ann to bob 1"


def talk() -> list[Transcript]:
    """Return what three members have lived through: ann writes to bob alone, and then says six lines."""
    made = [Transcript(name, arrivals=1, name_now=name) for name in NAMES]
    ann, bob, _ = made
    for each in made:
        each.events += [Arrived(1, 0.5), Came(ROOM, frozenset(NAMES), frozenset(NAMES)), Topic(ROOM, "tea")]
    ann.written.append(Written(1, PRIVATE, "bob", 1, 1.0))
    for each in (ann, bob):
        each.events.append(Overheard(PRIVATE, "ann", 1, 1.1))
    for number in range(2, 8):
        line = f"ann {number}"
        ann.sent.append(Sent(number, (line,), 1, float(number)))
        for each in made:
            each.events.append(Heard(ROOM, number, "ann", line, 1, number + 0.1))
    return made


def lose_private(some: list[Transcript], *names: str) -> None:
    """Let the private message not come to these members."""
    for each in some:
        if each.name in names:
            each.events[:] = [one for one in each.events if not isinstance(one, Overheard)]


def write_again(some: list[Transcript]) -> None:
    """Let ann write a second private message, which comes to both."""
    some[0].written.append(Written(2, "ann to bob 2", "bob", 1, 8.0))
    for each in some[:2]:
        each.events.append(Overheard("ann to bob 2", "ann", 1, 8.1))


def come_first(some: list[Transcript]) -> None:
    write_again(some)
    at = next(at for at, one in enumerate(some[1].events) if isinstance(one, Overheard))
    some[1].events.insert(at, some[1].events.pop())


def vanish(some: list[Transcript]) -> None:
    lose_private(some, "ann", "bob")
    write_again(some)


def return_it(some: list[Transcript]) -> None:
    vanish(some)
    some[0].events.append(Returned(PRIVATE))


def refuse(some: list[Transcript]) -> None:
    vanish(some)
    some[0].events.append(Refused(1, "not_said"))


def move(some: list[Transcript]) -> None:
    lose_private(some, "bob")
    some[1].events.insert(3, Arrived(2, 1.5))


def add(who: int, *events: Event) -> Callable[[list[Transcript]], None]:
    return lambda some: some[who].events.extend(events)


@pytest.mark.parametrize(
    "happen",
    [
        lambda _: None,
        write_again,
        return_it,
        refuse,
        move,
        add(2, Came(ATTIC, frozenset({"cem"})), Moved("joined", ATTIC, "bob"), Went(ATTIC), Topic(ATTIC, "dust")),
    ],
    ids=["all is well", "two", "nobody was there", "refused", "the receiver moved", "an attic"],
)
def test_all_is_well(happen: Callable[[list[Transcript]], object]) -> None:
    some = talk()
    happen(some)
    assert check(some, rooms=[ROOM]) == []


@pytest.mark.parametrize(
    ("happen", "flaw"),
    [
        (lambda some: lose_private(some, "bob"), "was there, and did not hear"),
        (vanish, "was not told that the private"),
        (add(1, Overheard(PRIVATE, "ann", 1, 1.2)), "2 times"),
        (add(2, Overheard(PRIVATE, "ann", 1, 1.2)), "which was for bob"),
        (add(1, Overheard("nothing", "ann", 1, 1.2)), "which nobody has written"),
        (come_first, "after number 2"),
        (add(1, Topic(ROOM, "coffee")), "the topics of #lobby are"),
        (add(1, Came(ROOM, frozenset(NAMES), frozenset({"ann", "bob", "cem-1"}))), "bob sees"),
        (add(1, Moved("joined", ATTIC, "ann")), "where it was not"),
        (add(1, Came(ATTIC, frozenset({"bob"})), Went(ATTIC), Moved("joined", ATTIC, "ann")), "where it was not"),
    ],
)
def test_a_fault_is_found(happen: Callable[[list[Transcript]], object], flaw: str) -> None:
    some = talk()
    happen(some)
    (found,) = check(some, rooms=[ROOM])
    assert flaw in found
