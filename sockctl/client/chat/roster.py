"""The members of the user's rooms, from the server's messages, and the user's own name."""

import re
import threading
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sockctl.client.chat.belonging import room_key
from sockctl.client.chat.mention import compile_mention
from sockctl.protocol.messages import Message
from sockctl.protocol.names import is_name, make_name_key

MAX_NAMES = 20_000
"""The most names, in all rooms together; Tab can't complete the rest."""
MAX_ROOMS = 1_000
"""The most rooms: as many as a server has."""


@dataclass(frozen=True, slots=True)
class ChatContext:
    """The state that decides how a message looks.

    Attributes:
        me: The user's own name; empty if it isn't known.
        mention: Finds that name as a word in a text.
        in_several_rooms: Whether the user is in more than one room.
    """

    me: str = ""
    mention: re.Pattern[str] | None = None
    in_several_rooms: bool = False

    def is_me(self, name: str) -> bool:
        """Return whether a name is the user's own."""
        return bool(name) and make_name_key(name) == make_name_key(self.me)


class Roster:
    """The members of each room. Any thread may read it; one thread updates it.

    Args:
        max_names: The most names, in all rooms together.
        max_rooms: The most rooms.

    Attributes:
        left_out: How many rooms and names there was no more place for.
        is_operator: Whether the server has told that the user is an operator.
    """

    def __init__(self, *, max_names: int = MAX_NAMES, max_rooms: int = MAX_ROOMS) -> None:
        self._max_names, self._max_rooms = max_names, max_rooms
        self._lock = threading.Lock()  # guards everything below
        self._me = ""
        # By room, the members' names by their keys; the room in which the user speaks is the last.
        self._rooms: dict[str, dict[str, str]] = {}
        self._before: dict[str, None] = {}  # rooms of the last connection that the user has not joined again yet
        self._mention: re.Pattern[str] | None = None
        self._names = 0  # of all rooms
        self.left_out = 0
        self.is_operator = False

    @property
    def rooms(self) -> list[str]:
        """The rooms that the user is in."""
        with self._lock:
            return list(self._rooms)

    @property
    def last_rooms(self) -> list[str]:
        """The user's rooms, then those from before the connection was lost; the user speaks in the last."""
        with self._lock:
            return [*self._rooms, *self._before]

    @property
    def others(self) -> list[str]:
        """The names of the other members of the user's rooms, each once, in alphabetical order."""
        with self._lock:
            names = {key: name for members in self._rooms.values() for key, name in members.items()}
            names.pop(make_name_key(self._me), None)
            return [names[key] for key in sorted(names)]

    def count(self, room: str) -> int:
        """Return how many members of a room are known by name."""
        with self._lock:
            key = room_key(room)
            return next((len(names) for one, names in self._rooms.items() if room_key(one) == key), 0)

    @property
    def me(self) -> str:
        """The user's own name; empty if it isn't known."""
        with self._lock:
            return self._me

    def is_me(self, name: str) -> bool:
        """Return whether a name is the user's own."""
        with self._lock:
            return self._is_me(name)

    @property
    def context(self) -> ChatContext:
        """The present state that decides how a message looks."""
        with self._lock:
            return ChatContext(self._me, self._mention, len(self._rooms) + len(self._before) > 1)

    def update(self, one: Message) -> None:
        """Note what a message of the server says about rooms and members."""
        room, name = one.get("room"), one.get("name")
        with self._lock:
            match one.kind:
                case "welcome":
                    self.is_operator = one.fields.get("operator") is True
                    self._rename_me(name or one.get("user"))
                    self._before = dict(islice((self._before | dict.fromkeys(self._rooms)).items(), self._max_rooms))
                    self._rooms = {}
                    self._names = 0
                case "joined" if room:
                    if self._is_me(name):
                        self._enter(room)
                    self._add(room, name)
                case "left":
                    if self._is_me(name):
                        self._leave(room)
                    self._remove(room, name)
                case "renamed":
                    self._rename(one.get("before"), name)
                case "members":
                    self._add_all(room, one.fields.get("members"))
                    self._note_details(one.fields.get("members"), one.fields.get("details"))
                case "notice" if one.get("code") == "room" and "count" not in one.fields and room in self._rooms:
                    self._rooms[room] = self._rooms.pop(room)  # the user speaks there now
                case "say":
                    self._add(room, one.get("sender"))

    def _is_me(self, name: str) -> bool:
        return bool(name) and make_name_key(name) == make_name_key(self._me)

    def _enter(self, room: str) -> None:
        self._leave(room)
        if is_name(room) and len(self._rooms) < self._max_rooms:
            self._rooms[room] = {}
        else:
            self.left_out += 1

    def _leave(self, room: str) -> None:
        self._names -= len(self._rooms.pop(room, {}))
        self._before.pop(room, None)

    def _remove(self, room: str, name: str) -> bool:
        """Forget a member; return whether it was in the room."""
        there = self._rooms.get(room, {}).pop(make_name_key(name), None) is not None
        self._names -= there
        return there

    def _rename_me(self, name: str) -> None:
        name = name if is_name(name) else ""
        self._me = name
        self._mention = compile_mention(name) if name else None

    def _rename(self, before: str, name: str) -> None:
        if self._is_me(before):
            self._rename_me(name)
        for room in self._rooms:
            if self._remove(room, before):
                self._add(room, name)

    def _add_all(self, room: str, members: Any) -> None:
        for member in members if isinstance(members, list) else []:
            self._add(room, Message({"kind": "", "name": member}).get("name"))

    def _note_details(self, members: Any, details: Any) -> None:
        """Note whether the user is an operator, where a list of members says so."""
        if isinstance(members, list) and isinstance(details, list):
            for name, detail in zip(members, details, strict=False):
                if isinstance(name, str) and isinstance(detail, dict) and self._is_me(name):
                    self.is_operator = detail.get("operator") is True

    def _add(self, room: str, name: str) -> None:
        members = self._rooms.get(room)
        if members is None or not name or name.split() != [name]:
            return
        key = make_name_key(name)
        if is_name(name) and (key in members or self._names < self._max_names):
            self._names += key not in members
            members[key] = name
        else:
            self.left_out += 1
