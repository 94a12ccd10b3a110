"""The members that type, by room, for a few seconds after the server has told of each."""

import datetime

from sockctl.protocol.messages import Message
from sockctl.protocol.names import is_name

MAX_MARKS = 100
"""Members that type at once, in all rooms; further ones get no mark."""
LASTS = datetime.timedelta(seconds=5)
_FIELDS = {"say": "sender", "left": "name", "renamed": "before"}
"""The field with the name of the member that types no more, by the kind of the message."""


class TypingMarks:
    """The marks. Not thread-safe."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str], datetime.datetime] = {}  # by room and name

    def note(self, room: str, name: str, now: datetime.datetime) -> None:
        """Note that a member types in a room."""
        self._ends = {mark: end for mark, end in self._ends.items() if now < end}
        if is_name(name) and len(self._ends) < MAX_MARKS:
            self._ends[room, name] = now + LASTS

    def process(self, one: Message, room: str) -> None:
        """End the mark of a member that has said something in a room, left it, or has another name now."""
        if self._ends and (field := _FIELDS.get(one.kind)):
            name, everywhere = one.get(field), one.kind == "renamed"
            ended = {(where, who) for where, who in self._ends if who == name and (everywhere or where == room)}
            self._ends = {mark: end for mark, end in self._ends.items() if mark not in ended}

    def names(self, room: str, now: datetime.datetime) -> tuple[str, ...]:
        """Return the names of the members that type in a room."""
        return tuple(name for (where, name), end in self._ends.items() if where == room and now < end)
