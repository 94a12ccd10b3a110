"""Checks what came of the acts of a chat's members: private messages, names and topics."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set

from tests.support.transcript import Arrived, Came, Heard, Returned, Topic, Transcript, Written

ENOUGH = 5
"""So many lines that were said after a private message show that a member has read as far."""


def check_written(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """Check that a private message comes to its receiver alone, once, in its writer's order, or is refused."""
    written = {one.text: (each, one) for each in transcripts for one in each.written}
    by_name = {each.name: each for each in transcripts}
    for each in transcripts:
        last: dict[str, int] = {}
        for text, count in Counter(one.text for one in each.overheard).items():
            if count > 1:
                yield f"{each.name} heard the private {text!r} {count} times"
        for one in each.overheard:
            if one.text not in written:
                yield f"{each.name} heard the private {one.text!r}, which nobody has written"
                continue
            writer, message = written[one.text]
            if writer.name != one.sender:
                yield f"{each.name} heard the private {one.text!r} from {one.sender}, who has not written it"
            if each.name not in {writer.name, message.to}:
                yield f"{each.name} heard the private {one.text!r}, which was for {message.to}"
            if message.n < last.get(one.sender, 0):
                yield f"{each.name} heard the private {one.text!r} after number {last[one.sender]}"
            last[one.sender] = message.n
    for each in transcripts:
        yield from _check_arrivals(each, by_name)


def _check_arrivals(writer: Transcript, by_name: dict[str, Transcript]) -> Iterator[str]:
    """Check that each private message of a member has come, or that its writer was told."""
    echoes = {one.text: one for one in writer.overheard}
    number = {one.text: one.n for one in writer.written}
    returned = {one.text for one in writer.events if isinstance(one, Returned)}
    proven: dict[int, int] = defaultdict(int)  # by connection, the last one that came back
    for one in writer.overheard:
        proven[one.connection] = max(proven[one.connection], number.get(one.text, 0))
    for message in writer.written:
        echo = echoes.get(message.text)
        if echo is None:
            is_told = message.n in writer.refused or message.text in returned or bool(writer.told)
            if message.n < proven[message.connection] and not is_told:
                yield f"{writer.name} was not told that the private {message.text!r} was sent to nobody"
            continue
        receiver = by_name[message.to]
        after = {one.line for one in writer.heard if one.is_live and one.at_s > echo.at_s}
        if _was_there(receiver, message, after) and message.text not in {one.text for one in receiver.overheard}:
            yield f"{receiver.name} was there, and did not hear the private {message.text!r}"


def _was_there(receiver: Transcript, message: Written, after: Set[str]) -> bool:
    """Return whether a receiver was connected when a message was sent, and heard enough of what was said after it.

    Args:
        receiver: The member.
        message: The message.
        after: The lines that its writer heard later.
    """
    if receiver.told:
        return False
    begun_s, heard = math.inf, 0
    for one in receiver.events:
        if isinstance(one, Arrived):
            begun_s, heard = one.at_s, 0
        elif isinstance(one, Heard) and one.is_live and begun_s < message.at_s:
            heard += one.line in after
            if heard >= ENOUGH:
                return True
    return False


def check_names(transcripts: Sequence[Transcript], rooms: Sequence[str]) -> Iterator[str]:
    """Check that all agree in the end on what everybody is called."""
    own = frozenset(each.name_now for each in transcripts)
    for each in transcripts:
        last = {one.room: one.called for one in each.events if isinstance(one, Came)}
        for room in rooms:
            if last.get(room) != own:
                yield f"in the end, {each.name} sees {sorted(last.get(room, ()))} in {room}, who are {sorted(own)}"


def check_topics(transcripts: Sequence[Transcript], rooms: Sequence[str]) -> Iterator[str]:
    """Check that all have heard the same topic of each room last, but those who were told that they miss something."""
    for room in rooms:
        topics: dict[str, list[str]] = defaultdict(list)
        for each in transcripts:
            told = [one.text for one in each.events if isinstance(one, Topic) and one.room == room]
            if told and not each.told:
                topics[told[-1]].append(each.name)
        if len(topics) > 1:
            yield f"in the end, the topics of {room} are {dict(topics)}"
