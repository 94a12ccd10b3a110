"""Checks what members of one chat have lived through: one order, nothing twice, nothing lost in silence.

Every line is unlike any other, and has its sender's name in it. All members are in all rooms from the beginning on, but
for the attics, which they enter and leave.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.support.acts_checker import check_names, check_topics, check_written
from tests.support.cluster_acts import ATTICS
from tests.support.transcript import Arrived, Came, Event, Heard, Moved, Told, Transcript, Went

SHOWN = 3
"""Examples of one flaw."""
LATE_S = 10.0
"""How long after a loss it may be told, on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """When the last fault was over, and what that means.

    Attributes:
        at_s: When, on the monotonic clock.
        within_s: How soon all members must be heard by all.
    """

    at_s: float
    within_s: float


def check(
    transcripts: Sequence[Transcript],
    *,
    may_lose: bool = False,
    healed: Healed | None = None,
    rooms: Sequence[str] = (),
) -> list[str]:
    """Return what is wrong; nothing where all is well.

    Args:
        transcripts: Those of all members.
        may_lose: Whether the engine may lose what it has acknowledged, if it tells so.
        healed: When the faults were over; None where nobody must be alive at the end.
        rooms: Where all members must be at the end.
    """
    flaws = [
        *_check_contents(transcripts),
        *_check_growth(transcripts),
        *_check_once(transcripts, may_lose=may_lose),
        *_check_senders_order(transcripts),
        *_check_gaps(transcripts),
        *_check_refused(transcripts, may_lose=may_lose),
        *_check_answered(transcripts),
        *_check_presence(transcripts, rooms),
        *check_written(transcripts),
        *check_topics(transcripts, rooms),
        *(check_names(transcripts, rooms) if any(each.name_now for each in transcripts) else ()),
    ]
    if not may_lose:
        flaws += [
            f"{one.name} was told of a loss" for one in transcripts if any(told.code == "lost" for told in one.told)
        ]
    if healed is not None:
        flaws += _check_alive(transcripts, healed)
    return flaws


def _check_contents(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """Check that an id means the same line everywhere, and that its sender has said it there."""
    said = {line: each.name for each in transcripts for one in each.sent for line in one.lines}
    by_id: dict[tuple[str, int], tuple[str, str]] = {}
    for each in transcripts:
        for one in each.heard:
            known = by_id.setdefault((one.room, one.id), (one.line, each.name))
            if known[0] != one.line:
                yield f"{one.room} {one.id} is {known[0]!r} for {known[1]}, and {one.line!r} for {each.name}"
            if said.get(one.line) != one.sender:
                yield f"{each.name} heard {one.line!r} from {one.sender}, who has not sent it"


def _check_growth(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """Check that ids grow at each member, in each room, as long as it stays there."""
    for each in transcripts:
        last: dict[str, Heard] = {}
        for one in each.events:
            if isinstance(one, Went):
                last.pop(one.room, None)
            if not isinstance(one, Heard):
                continue
            before = last.get(one.room)
            if before is not None and one.id <= before.id:
                way = f"connection {before.connection}, then {one.connection}"
                yield f"{each.name} heard {one.room} {one.id} {one.line!r} after {before.id} {before.line!r} ({way})"
            last[one.room] = one


def _check_once(transcripts: Sequence[Transcript], *, may_lose: bool) -> Iterator[str]:
    """Check that each line was said once, and in one room.

    What the engine has lost may be said again, to those who have not heard it.
    """
    for some in [[each] for each in transcripts] if may_lose else [transcripts]:
        places: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for each in some:
            for one in each.heard:
                places[one.line].add((one.room, one.id))
        for line, where in places.items():
            if len(where) > 1:
                yield f"{line!r} was said {len(where)} times: {sorted(where)}"


def _check_senders_order(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """Check that each member hears each sender's lines of a room in the order in which they were sent."""
    order = {line: (one.n, at) for each in transcripts for one in each.sent for at, line in enumerate(one.lines)}
    for each in transcripts:
        last: dict[tuple[str, str], Heard] = {}
        for one in each.events:
            if isinstance(one, Went):
                last = {place: heard for place, heard in last.items() if place[0] != one.room}
            if not isinstance(one, Heard):
                continue
            before = last.get((one.room, one.sender))
            if before is not None and order.get(one.line, (0, 0)) < order.get(before.line, (0, 0)):
                yield f"{each.name} heard {one.line!r} ({one.room} {one.id}) after {before.line!r} ({before.id})"
            last[one.room, one.sender] = one


def _check_gaps(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """Check that each member has heard what any member has, from its first line on, unless it was told otherwise."""
    known: dict[str, dict[int, str]] = defaultdict(dict)
    for each in transcripts:
        for one in each.heard:
            known[one.room][one.id] = one.line
    for each in transcripts:
        own = {one.line for one in each.heard}  # under another id, where the engine had lost it
        for room, lines in known.items():
            if room in ATTICS:
                continue
            heard = [(one.id, at) for at, one in enumerate(each.events) if isinstance(one, Heard) and one.room == room]
            if not heard:
                if lines:
                    yield f"{each.name} heard nothing in {room}, where {len(lines)} lines were said"
                continue
            told = [at for at, one in enumerate(each.events) if isinstance(one, Told) and one.room in {"", room}]
            missing = sorted(number for number, line in lines.items() if line not in own)
            gaps = {bisect_left(heard, (one, 0)) for one in missing if one > heard[0][0]}
            silent = {at for at in gaps if not _is_told(each, heard, at, told)}
            unexcused = [one for one in missing if bisect_left(heard, (one, 0)) in silent]
            if unexcused:
                some = ", ".join(f"{one} {lines[one]!r}" for one in unexcused[:SHOWN])
                yield f"{each.name} did not hear {len(unexcused)} of {room}, and was not told: {some}"


def _is_told(one: Transcript, heard: Sequence[tuple[int, int]], gap: int, told: Sequence[int]) -> bool:
    """Return whether a member was told of a gap: before it heard more, or of a loss soon afterwards.

    A server that has not read what the engine lost learns only from the others that there was more.

    Args:
        one: What the member has lived through.
        heard: The ids of the lines that it has heard in a room, which grow, and their places among the events.
        gap: The gap, by the number of the line after it.
        told: The places of the notices.
    """
    end = heard[gap][1] if gap < len(heard) else len(one.events)
    until_s = one.events[end].at_s + LATE_S if gap < len(heard) else math.inf  # type: ignore[union-attr]  # a Heard
    for at in told[bisect_left(told, heard[gap - 1][1]) :]:
        notice = one.events[at]
        assert isinstance(notice, Told)
        if at < end or (notice.code == "lost" and notice.at_s <= until_s):
            return True
    return False


def _check_refused(transcripts: Sequence[Transcript], *, may_lose: bool) -> Iterator[str]:
    """Check that nobody has heard what was refused; a loss may have taken it from some after others had heard it."""
    if may_lose and any(told.code == "lost" for each in transcripts for told in each.told):
        return
    heard = {one.line: (each.name, one.id) for each in transcripts for one in each.heard}
    for each in transcripts:
        refused = each.refused
        for one in each.sent:
            if one.n in refused and any(line in heard for line in one.lines):
                who = heard[next(line for line in one.lines if line in heard)]
                yield f"{each.name} was told {refused[one.n]} for {one.lines[0]!r}, which {who[0]} heard as {who[1]}"


def _check_answered(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """Check that no message vanished: while its connection went on, its sender heard it, or was told.

    A connection has gone on if its member has heard a later message of its own from it, or if it is the last one.
    """
    for each in transcripts:
        answered = {one.line for one in each.heard}
        refused = each.refused
        number = {line: one.n for one in each.sent for line in one.lines}
        proven: dict[int, int] = defaultdict(int)  # by connection, the last message that was heard
        for one in each.heard:
            if one.sender == each.name and one.is_live and one.line in number:
                proven[one.connection] = max(proven[one.connection], number[one.line])
        silent = [
            one
            for one in each.sent
            if (one.n < proven[one.connection] or one.connection == each.arrivals)
            and one.n not in refused
            and not answered.issuperset(one.lines)
        ]
        if silent and not each.told:
            some = ", ".join(repr(one.lines[0]) for one in silent[:SHOWN])
            yield f"{each.name} sent {len(silent)} messages that vanished: {some}"


def _check_presence(transcripts: Sequence[Transcript], rooms: Sequence[str]) -> Iterator[str]:
    """Check that each member hears of each coming and going once, and that all are in `rooms` at the end."""
    names = {each.name for each in transcripts}
    for each in transcripts:
        here: dict[str, set[str]] = defaultdict(set)
        for one in each.events:
            if wrong := _follow(here, one):
                yield f"{each.name} {wrong}"
        for room in rooms:
            if not names <= here[room]:
                yield f"at the end, {each.name} misses {sorted(names - here[room])} in {room}"


def _follow(here: dict[str, set[str]], one: Event) -> str:
    """Change who is where by an event; return what is wrong with it, or nothing."""
    match one:
        case Arrived():
            for room in ATTICS:
                here.pop(room, None)
        case Went(room):
            here.pop(room, None)
        case Came(room, names):
            here[room] = set(names)
        case Moved(room=room) | Heard(room=room, is_live=True) if room in ATTICS and room not in here:
            return f"heard {one} in {room}, where it was not"
        case Moved():
            return _follow_move(here[one.room], one)
        case Heard(room=room, sender=sender, is_live=True) if sender not in here[room]:
            here[room].add(sender)
            return f"heard {one.line!r} in {room} from {sender}, who was not there"
    return ""


def _follow_move(here: set[str], one: Moved) -> str:
    """Change who is in a room; return what is wrong with that, or nothing."""
    if (one.name in here) == (one.kind == "joined"):
        return f"heard that {one.name} {one.kind} {one.room}, who was{'' if one.name in here else ' not'} there"
    here.symmetric_difference_update({one.name})
    return ""


def _check_alive(transcripts: Sequence[Transcript], healed: Healed) -> Iterator[str]:
    """Check that soon after the last fault each member has said something that all have heard."""
    until = healed.at_s + healed.within_s
    heard: dict[str, set[str]] = defaultdict(set)
    for each in transcripts:
        for one in each.heard:
            if one.at_s <= until:
                heard[one.line].add(each.name)
    for each in transcripts:
        spoken = [line for one in each.sent if one.at_s >= healed.at_s for line in one.lines]
        if not any(len(heard[line]) == len(transcripts) for line in spoken):
            best = max((len(heard[line]) for line in spoken), default=0)
            yield (
                f"{each.name} was not heard by all within {healed.within_s:g} s after the last fault: of "
                f"{len(spoken)} lines, none by more than {best} of {len(transcripts)} members"
            )
