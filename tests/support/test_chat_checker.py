"""The checker of the cluster's tests: it must fail on each kind of fault."""

from dataclasses import replace
from typing import Any

from tests.support.chat_checker import Healed, check
from tests.support.chat_measures import measure_recovery
from tests.support.transcript import Came, Heard, Moved, Refused, Sent, Told, Transcript

NAMES = ("ann", "bob", "cem")
LINES = 8
ROOM = "#lobby"


def talk() -> list[Transcript]:
    """Return what three members have lived through, of whom the first two say a line in turns: all is well."""
    made = [Transcript(name, arrivals=1) for name in NAMES]
    for each in made:
        each.events.append(Came(ROOM, frozenset(NAMES)))
    for number in range(1, LINES + 1):
        speaker = made[number % 2]
        line = f"{speaker.name} {number}"
        speaker.sent.append(Sent(number, (line,), 1, float(number)))
        for each in made:
            each.events.append(Heard(ROOM, number, speaker.name, line, 1, number + 0.1))
    return made


def drop(one: Transcript, *numbers: int) -> None:
    """Let a member not hear these lines."""
    one.events[:] = [each for each in one.events if not (isinstance(each, Heard) and each.id in numbers)]


def place(one: Transcript, number: int) -> int:
    """Return where a member hears a line."""
    return next(at for at, each in enumerate(one.events) if isinstance(each, Heard) and each.id == number)


def change(one: Transcript, number: int, **changes: Any) -> None:
    """Let a member hear a line otherwise."""
    heard = one.events[place(one, number)]
    assert isinstance(heard, Heard)
    one.events[place(one, number)] = replace(heard, **changes)


def only_flaw(talked: list[Transcript], **options: Any) -> str:
    """Return what is wrong, which must be one thing."""
    (flaw,) = check(talked, **options)
    return flaw


def test_a_talk_without_faults_is_fine() -> None:
    assert check(talk(), rooms=[ROOM]) == []
    assert check(talk()[:2], rooms=[ROOM], healed=Healed(at_s=2.5, within_s=5.0)) == []
    assert 0.5 < measure_recovery(talk()[:2], 2.5) < 3


def test_an_id_that_means_two_things() -> None:
    talked = talk()
    change(talked[2], 3, line="bob 5")
    change(talked[2], 5, line="bob 3")
    assert any("#lobby 3 is 'bob 3' for ann, and 'bob 5' for cem" in flaw for flaw in check(talked))


def test_a_line_that_its_sender_has_not_sent() -> None:
    talked = talk()
    change(talked[2], 3, sender="ann")
    assert only_flaw(talked) == "cem heard 'bob 3' from ann, who has not sent it"


def test_a_line_that_is_repeated() -> None:
    talked = talk()
    talked[2].events.append(Heard(ROOM, LINES, "ann", f"ann {LINES}", 1, 20.0))
    assert "cem heard #lobby 8 'ann 8' after 8 'ann 8'" in only_flaw(talked)


def test_a_line_that_was_said_twice() -> None:
    talked = talk()
    for each in talked:
        each.events.append(Heard(ROOM, LINES + 1, "ann", f"ann {LINES}", 1, 20.0))
    assert only_flaw(talked) == "'ann 8' was said 2 times: [('#lobby', 8), ('#lobby', 9)]"


def test_a_line_that_was_lost_may_be_said_again_to_others() -> None:
    talked = talk()
    change(talked[2], LINES, id=LINES + 1)
    talked[2].events.insert(-1, Told("lost"))
    assert check(talked, may_lose=True) == []
    assert [flaw for flaw in check(talked) if "said 2 times" in flaw] != []
    talked[2].events.append(Heard(ROOM, LINES + 2, "ann", f"ann {LINES}", 1, 20.0))
    assert [flaw for flaw in check(talked, may_lose=True) if "said 2 times" in flaw] != []


def test_a_sender_whose_order_is_another() -> None:
    talked = talk()
    first, second = talked[0].sent[1:3]
    talked[0].sent[1:3] = [replace(first, lines=second.lines), replace(second, lines=first.lines)]
    flaws = check(talked)
    assert flaws == [f"{name} heard 'ann 6' (#lobby 6) after 'ann 4' (4)" for name in NAMES]


def test_a_line_that_one_member_does_not_hear() -> None:
    talked = talk()
    drop(talked[2], 4)
    assert only_flaw(talked) == "cem did not hear 1 of #lobby, and was not told: 4 'ann 4'"


def test_a_line_that_one_member_does_not_hear_and_is_told_of() -> None:
    for code in ("lost", "missed"):
        talked = talk()
        drop(talked[2], 4)
        talked[2].events.insert(place(talked[2], 5), Told(code))
        assert check(talked, may_lose=True) == []


def test_a_notice_in_another_place_or_room_excuses_nothing() -> None:
    for at, room in ((3, ""), (6, ""), (5, "#other")):
        talked = talk()
        drop(talked[2], 4)
        talked[2].events.insert(place(talked[2], at), Told("missed", room))
        assert "cem did not hear 1" in only_flaw(talked)


def test_a_loss_may_be_told_a_moment_later() -> None:
    talked = talk()
    drop(talked[2], 4)
    talked[2].events.insert(place(talked[2], 7), Told("lost", at_s=6.2))
    assert check(talked, may_lose=True) == []
    talked[2].events[place(talked[2], 7) - 1] = Told("lost", at_s=16.2)
    assert "cem did not hear 1" in only_flaw(talked, may_lose=True)


def test_the_last_line_that_one_member_does_not_hear() -> None:
    talked = talk()
    drop(talked[2], LINES)
    assert "cem did not hear 1" in only_flaw(talked)
    talked[2].events.append(Told("missed", ROOM))
    assert check(talked) == []


def test_a_member_who_hears_nothing() -> None:
    talked = talk()
    drop(talked[2], *range(LINES + 1))
    assert only_flaw(talked) == "cem heard nothing in #lobby, where 8 lines were said"


def test_a_loss_where_nothing_may_be_lost() -> None:
    talked = talk()
    talked[2].events.append(Told("lost"))
    assert only_flaw(talked) == "cem was told of a loss"
    assert check(talked, may_lose=True) == []


def test_a_line_that_was_refused_and_is_heard() -> None:
    talked = talk()
    talked[1].events.append(Refused(3, "not_said"))
    assert only_flaw(talked) == "bob was told not_said for 'bob 3', which cem heard as 3"


def test_a_line_that_vanishes() -> None:
    talked = talk()
    talked[0].sent.insert(1, Sent(3, ("ann 3",), 1, 3.0))
    assert only_flaw(talked) == "ann sent 1 messages that vanished: 'ann 3'"
    talked[0].events.append(Refused(3, "not_said"))
    assert check(talked) == []


def test_a_line_that_vanishes_with_its_connection_may_do_so() -> None:
    talked = talk()
    talked[0].sent.append(Sent(LINES + 1, ("ann 9",), 1, 9.0))
    talked[0].arrivals = 2
    assert check(talked) == []
    talked[0].sent.append(Sent(LINES + 2, ("ann 10",), 2, 10.0))
    assert only_flaw(talked) == "ann sent 1 messages that vanished: 'ann 10'"


def test_somebody_who_leaves_twice_or_joins_twice() -> None:
    talked = talk()
    talked[2].events += [Moved("left", ROOM, "ann"), Moved("left", ROOM, "ann")]
    assert only_flaw(talked) == "cem heard that ann left #lobby, who was not there"
    talked[2].events[-1] = Moved("joined", ROOM, "ann")
    assert check(talked, rooms=[ROOM]) == []
    talked[2].events.append(Moved("joined", ROOM, "ann"))
    assert only_flaw(talked) == "cem heard that ann joined #lobby, who was there"


def test_somebody_who_speaks_and_was_not_there() -> None:
    talked = talk()
    talked[2].events.insert(1, Moved("left", ROOM, "bob"))
    assert only_flaw(talked) == "cem heard 'bob 1' in #lobby from bob, who was not there"


def test_somebody_who_is_missed_at_the_end() -> None:
    talked = talk()
    talked[2].events.append(Moved("left", ROOM, "ann"))
    assert only_flaw(talked, rooms=[ROOM]) == "at the end, cem misses ['ann'] in #lobby"


def test_somebody_who_does_not_speak_again() -> None:
    talked = talk()[:2]
    assert check(talked, healed=Healed(at_s=6.5, within_s=2.0)) == []
    (flaw,) = check(talked, healed=Healed(at_s=7.5, within_s=5.0))
    assert flaw.startswith("bob was not heard by all within 5 s after the last fault: of 0 lines")


def test_somebody_who_is_heard_too_late() -> None:
    talked = talk()
    change(talked[2], LINES, at_s=20.0)
    change(talked[2], LINES - 1, at_s=20.0)
    flaws = check(talked, healed=Healed(at_s=6.5, within_s=2.0))
    assert [flaw.split(" within")[0] for flaw in flaws] == [f"{name} was not heard by all" for name in NAMES]
