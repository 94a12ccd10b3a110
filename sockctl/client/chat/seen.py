"""The messages that were shown: none is shown twice, and the server learns the last one of each room.

Ids grow within a room, with gaps or without. A late message (a smaller id than the last) is shown, unless it was shown
before. An id that was shown with another time belongs to another message: the server has begun to count anew, and the
memory of the room is void. The same holds where a smaller id has a later time than the last.
"""

from sockctl.protocol.messages import Message
from sockctl.protocol.names import is_name

REMEMBERED = 1000
"""Ids of each room that are remembered one by one; an id older than all of them counts as shown."""
MAX_ROOMS = 100
"""Rooms that are remembered; of the one that was silent for the longest, messages may be shown twice."""
MAX_ID = 1 << 63
MAX_AT = 40
"""Characters in a time, as RFC 3339 writes it with any fraction that a clock has."""


class Seen:
    """The ids of the messages that were shown, by room. Not thread-safe."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[int, str]] = {}  # id to time, in the order in which they came
        self._floors: dict[str, int] = {}  # ids up to here are forgotten, and count as shown

    def admit(self, one: Message) -> bool:
        """Remember a message; return whether it is to be shown: it is new, has no id, or was asked for again."""
        number, room = one.fields.get("id"), one.get("room").lower()
        if one.kind not in {"say", "history"} or type(number) is not int or not is_name(room):
            return True
        if not 0 <= number < MAX_ID:
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

    def last(self, room: str) -> int:
        """Return the last id that was shown of a room; 0 if none was."""
        return max(self._rooms.get(room.lower(), {0: ""}))
