"""What members of the cluster's tests do besides talking: private messages, new names, rooms, topics."""

import random
import time
from collections.abc import Sequence

from tests.support.frames import Fields
from tests.support.transcript import (
    Came,
    Moved,
    Overheard,
    Renamed,
    Returned,
    Topic,
    Transcript,
    Went,
    Written,
    find_person,
)

ATTICS = ("#attic", "#cellar")
"""Rooms that members enter and leave all the time."""

NOBODY = "was sent to nobody: "
"""What stands before a private message whose receiver had left."""


class Acts:
    """The acts of a member, and what it hears of those of others.

    Args:
        transcript: What the member lives through.
        others: Those to whom it writes.
        chance: Decides what it does.

    Attributes:
        name: What it is called now.
    """

    def __init__(self, transcript: Transcript, others: Sequence[str], chance: random.Random) -> None:
        self._transcript = transcript
        self._chance = chance
        self._names = {name: name for name in others}  # what each is called now, as far as is known here
        self._count = 0
        self.name = transcript.name
        # Of the connection:
        self._connection = 0  # as in `Sent`, also before the member is let in
        self._inside: set[str] = set()  # the attics in which it is, as far as it has heard
        self._here: dict[str, set[str]] = {}  # the names that are told at a joining, so far

    def begin(self, connection: int) -> None:
        """Begin anew, with a connection of that number."""
        self._connection = connection
        self._inside.clear()
        self._here.clear()

    def choose(self, n: int, *, may_leave: bool) -> str:
        """Return a command to send, with this number.

        Args:
            n: The number.
            may_leave: Whether the member may leave a room: else it would not hear what it has just said there.
        """
        self._count += 1
        match self._chance.choice(["write", "write", "nick", "topic", "move", "move"]):
            case "write" if self._names:
                return self._write(n)
            case "nick":
                return f"/nick {self._transcript.name}-{self._count}"
            case "topic":
                return f"/topic {self._transcript.name} {self._count}"
            case _:
                room = self._chance.choice(ATTICS)
                return f"/leave {room}" if may_leave and room in self._inside else f"/join {room}"

    def _write(self, n: int) -> str:
        to = self._chance.choice([*self._names])
        text = f"{self._transcript.name} to {to} {n}"
        self._transcript.written.append(Written(n, text, to, self._transcript.arrivals, time.monotonic()))
        return f"/msg {self._names[to]} {text}"

    def hear(self, one: Fields) -> bool:
        """Take what is about acts; return whether it was."""
        events, now = self._transcript.events, time.monotonic()
        match one["kind"]:
            case "say" if one.get("private"):
                events.append(Overheard(one["text"], find_person(one["sender"]), self._connection, now))
            case "renamed":
                self._note_name(one["name"])
                events.append(Renamed(one["before"], one["name"]))
            case "joined" | "left" if find_person(one["name"]) == self._transcript.name:
                if one["kind"] == "left":
                    self._inside.discard(one["room"])
                    events.append(Went(one["room"]))
            case "joined" | "left":
                self._note_name(one["name"])
                events.append(Moved(one["kind"], one["room"], find_person(one["name"])))
            case "members":
                self._see_members(one)
            case "error" if NOBODY in one["text"]:
                events.append(Returned(one["text"].partition(NOBODY)[2]))
            case "notice" if one.get("code") == "topic":
                events.append(Topic(one["room"], one["topic"]))
            case _:
                return False
        return True

    def _see_members(self, one: Fields) -> None:
        room = one["room"]
        names = self._here.setdefault(room, set())
        names.update(one["members"])
        if not one.get("more"):
            if room in ATTICS:
                self._inside.add(room)
            self._transcript.events.append(Came(room, frozenset(map(find_person, names)), frozenset(names)))
            del self._here[room]

    def _note_name(self, name: str) -> None:
        person = find_person(name)
        if person == self._transcript.name:
            self.name = name
        elif person in self._names:
            self._names[person] = name
