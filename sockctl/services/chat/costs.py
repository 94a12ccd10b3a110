"""What a member's messages cost, counted in messages: those that reach many, or are answered at length, cost more."""

from collections.abc import Sequence

from sockctl.errors import CommandError
from sockctl.protocol.messages import Message
from sockctl.services.chat.clients import Client
from sockctl.services.chat.commands import called, parse_count, room_name, which_page
from sockctl.services.chat.history import SHOWN
from sockctl.services.chat.members import Members
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.rooms import NAMES_AT_ONCE, Room

__all__ = ["Costs"]

REACHED = 50
"""As many members who are told something cost a message."""
ANSWERED = 20
"""So do as many lines of an answer."""
WORK_S = 1.5e-3
"""The work of as many deliveries, in seconds of a usual core: most of it is the kernel's."""
_SAYING = frozenset({"", "me"})
"""Commands that say something; what begins with two slashes names none."""
LISTED = 50
"""Lines of a list: of the commands, or of the rooms on a page."""


class Costs:
    """Tells costs. Any thread may ask.

    Args:
        members: Who is here.
        rooms: The rooms.
    """

    def __init__(self, members: Members, rooms: RoomRegistry) -> None:
        self._members = members
        self._rooms = rooms

    def of(self, place: Client, one: Message) -> float:
        """Return what a message from a place costs; whatever an operator sends costs one."""
        if one.kind != "line" or not one.text.startswith("/") or place.member.operator:
            return 1.0
        name, words = called(one.text)
        try:
            return 1.0 + self._beyond(place, name, words)
        except CommandError:
            return 1.0  # it will be refused

    def work_s(self, place: Client, batch: Sequence[Message]) -> float:
        """Return the work of carrying out a batch, in seconds: its texts go to each member in one piece."""
        if place.member.operator:
            return 0.0
        beyond, says = 0.0, False
        for one in batch:
            if one.kind != "line":
                continue
            if not one.text.startswith("/") or called(one.text)[0] in _SAYING:
                says = True
            else:
                beyond += self.of(place, one) - 1.0
        if says:
            beyond += _count(self._rooms.find(place.room)) / REACHED
        return beyond * WORK_S

    def _beyond(self, place: Client, name: str, words: Sequence[str]) -> float:
        """Return what a command costs beyond what any message does.

        Raises:
            CommandError: It can't be understood.
        """
        beyond = 0.0
        match name:
            case "nick":
                rooms = map(self._rooms.find, self._members.rooms_of(place.member))
                beyond = sum(map(_told_singly, rooms)) / REACHED
            case "join" if words:
                beyond = _told_singly(self._rooms.find(room_name(words[0]))) / REACHED + SHOWN / ANSWERED
            case "leave":
                beyond = _told_singly(self._rooms.find(room_name(words[0]) if words else place.room)) / REACHED
            case "topic" if words:
                beyond = _count(self._rooms.find(place.room)) / REACHED
            case "who":
                named, _ = which_page(words[:2])
                listed = _count(self._rooms.find(room_name(named) if named else place.room))
                beyond = min(listed, NAMES_AT_ONCE) / NAMES_AT_ONCE
            case "history":
                room = self._rooms.find(place.room)
                asked = parse_count(words[0]) if words else SHOWN
                beyond = min(asked, 0 if room is None else room.remembered) / ANSWERED
            case "rooms" | "help":
                beyond = LISTED / ANSWERED
        return beyond


def _count(room: Room | None) -> int:
    return 0 if room is None else room.count


def _told_singly(room: Room | None) -> int:
    """Return how many are told of a single coming, going or renaming."""
    return 0 if room is None or room.is_crowded else room.count
