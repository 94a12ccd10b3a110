"""The cost of a member's messages: one that reaches many members, or has a long answer, costs as much as several."""

from collections.abc import Sequence

from sockctl.errors import CommandError
from sockctl.protocol.messages import Message
from sockctl.services.chat.blocks import measure_block
from sockctl.services.chat.commands import PAGE_LINES, parse_count, parse_page, parse_room, split_command
from sockctl.services.chat.history import SHOWN
from sockctl.services.chat.member import Client
from sockctl.services.chat.members import Members
from sockctl.services.chat.room import Room
from sockctl.services.chat.room_info import NAMES_AT_ONCE
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.text_limits import MAX_TEXT_BYTES

REACHED = 50
"""A command costs one message more for each so many members that receive its effect."""
SAID = 3
"""A block costs one message more for each so many lines: a rested member may say 50 lines at once."""
ANSWERED = 20
"""A command costs one message more for each so many lines of its answer."""
SORTED = 1_000
"""A list costs one message more for each so many members that the chat puts in order."""
WORK_S = 1.5e-3
"""The work of sending to REACHED members, in seconds of a usual core; the kernel does most of it."""
_SAYING = frozenset({"", "me"})
"""Commands that say something; the empty one stands for a text that begins with a slash."""


class Costs:
    """Computes costs. Any thread may use it."""

    def __init__(self, members: Members, rooms: RoomRegistry) -> None:
        self._members = members
        self._rooms = rooms

    def count(self, client: Client, one: Message) -> float:
        """Return the cost of a client's message; each message of an operator costs one."""
        if one.kind != "line":
            return _count_other(client, one)
        if not one.text.startswith("/") or client.member.operator:
            return 1.0
        name, words = split_command(one.text)
        try:
            return 1.0 + self._count_beyond(client, name, words)
        except CommandError:
            return 1.0  # its handler will refuse it

    def estimate_work_s(self, client: Client, batch: Sequence[Message]) -> float:
        """Return the work of processing a batch, in seconds; all its texts together count as one broadcast."""
        if client.member.operator:
            return 0.0
        beyond, says = 0.0, False
        for one in batch:
            if one.kind == "block":
                says = True
                continue
            if one.kind != "line":
                continue
            if not one.text.startswith("/") or split_command(one.text)[0] in _SAYING:
                says = True
            else:
                beyond += self.count(client, one) - 1.0
        if says:
            beyond += _count_members(self._rooms.find(client.room)) / REACHED
        return beyond * WORK_S

    def _count_beyond(self, client: Client, name: str, words: Sequence[str]) -> float:
        """Return the cost of a command beyond that of any message."""
        beyond = 0.0
        match name:
            case "nick":
                rooms = map(self._rooms.find, self._members.list_rooms(client.member))
                beyond = sum(map(_count_told, rooms)) / REACHED
            case "join" if words:
                beyond = _count_told(self._rooms.find(parse_room(words[0]))) / REACHED + SHOWN / ANSWERED
            case "leave":
                beyond = _count_told(self._rooms.find(parse_room(words[0]) if words else client.room)) / REACHED
            case "topic" if words:
                beyond = _count_members(self._rooms.find(client.room)) / REACHED
            case "who":
                named, _ = parse_page(words[:2])
                listed = _count_members(self._rooms.find(parse_room(named) if named else client.room))
                beyond = min(listed, NAMES_AT_ONCE) / NAMES_AT_ONCE + listed / SORTED
            case "history":
                room = self._rooms.find(client.room)
                asked = parse_count(words[0]) if words else SHOWN
                beyond = (0 if room is None else sum(one.lines for one in room.list_history(asked))) / ANSWERED
            case "rooms" | "help":
                beyond = PAGE_LINES / ANSWERED
        return beyond


def _count_other(client: Client, one: Message) -> float:
    if one.kind == "typing":
        return 0.0
    if one.kind != "block" or client.member.operator:
        return 1.0
    lines, characters = measure_block(one)
    return 1.0 + lines / SAID + characters / MAX_TEXT_BYTES


def _count_members(room: Room | None) -> int:
    return 0 if room is None else room.count


def _count_told(room: Room | None) -> int:
    """Return how many members receive the news of one joining, leaving or renaming."""
    return 0 if room is None or room.is_large else room.count
