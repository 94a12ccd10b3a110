"""The messages that the user has seen: the client shows none twice, and tells the server the last one of each room.

Ids grow within a room, with gaps or without. The client shows a late message (a smaller id than the last), unless it
has shown it before. A known id with another time belongs to another message: the server has begun to count anew, so
the client forgets the room's ids. It also does so for a smaller id with a later time than the last one.
"""

from typing import TypeGuard

from sockctl.protocol.messages import Message
from sockctl.protocol.names import is_name

REMEMBERED = 1000
"""The most ids of a room that are remembered one by one; an id older than all of them counts as seen."""
MAX_ROOMS = 100
"""The most rooms that are remembered; messages of a forgotten room, silent for longest, may appear twice."""
MAX_ID = 1 << 63
MAX_AT = 40
"""Characters in a time of RFC 3339, with the longest fraction of any clock."""


def is_id(number: object) -> TypeGuard[int]:
    """Return whether a server may have numbered a message so."""
    return type(number) is int and 0 <= number < MAX_ID


class Seen:
    """The ids of the messages that the user has seen, by room. Not thread-safe."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[int, str]] = {}  # the time of each id, in the order in which they came
        self._floors: dict[str, int] = {}  # ids up to here are forgotten, and count as seen

    def admit(self, one: Message) -> bool:
        """Remember a message; return whether to show it: it is new, has no id, or the user asked for it again."""
        number, room = one.fields.get("id"), one.get("room").lower()
        if one.kind not in {"say", "history"} or not is_id(number) or not is_name(room):
            return True
        again = one.fields.get("again") is True
        times = self._rooms[room] = self._rooms.pop(room, {})  # the room of the latest message is the last
        if len(self._rooms) > MAX_ROOMS:
            self._forget(next(iter(self._rooms)))
        at = one.get("at")[:MAX_AT]
        last = max(times, default=number)
        if times.get(number, at) != at or (number < last and at > times[last]):
            times.clear()
            self._floors.pop(room, None)
        if number in times or number <= self._floors.get(room, number - 1):
            return again
        times[number] = at
        if len(times) > REMEMBERED:
            oldest = min(times)
            del times[oldest]
            self._floors[room] = oldest
        return True

    def _forget(self, room: str) -> None:
        del self._rooms[room]
        self._floors.pop(room, None)

    def find_last(self, room: str) -> int:
        """Return the last id of a room that the user has seen; 0 for none."""
        return max(self._rooms.get(room.lower(), {0: ""}))
