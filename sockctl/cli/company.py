"""The company one is in, as the server tells it: one's own name, one's rooms, and who else is there."""

import re
import threading
from typing import Any

from sockctl.protocol.messages import Message
from sockctl.protocol.names import same_name_key

__all__ = ["Company"]

MAX_NAMES = 10_000
"""How many names of a room are known; the rest only can't be completed."""


class Company:
    """Who is where. Any thread may ask; one takes note."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards everything below
        self._me = ""
        # By room, the members' names by their keys; the room in which one speaks is the last.
        self._rooms: dict[str, dict[str, str]] = {}
        self._before: dict[str, None] = {}  # those of the connection before, as long as one is not in them again
        self._mention: re.Pattern[str] | None = None

    @property
    def rooms(self) -> list[str]:
        """The rooms that one is in."""
        with self._lock:
            return list(self._rooms)

    @property
    def last_rooms(self) -> list[str]:
        """The rooms that one is in, and those that one was in when the connection was lost; one speaks in the last."""
        with self._lock:
            return [*self._rooms, *self._before]

    @property
    def others(self) -> list[str]:
        """The names of the others in one's rooms, each once, in alphabetical order."""
        with self._lock:
            names = {key: name for members in self._rooms.values() for key, name in members.items()}
            names.pop(same_name_key(self._me), None)
            return [names[key] for key in sorted(names)]

    @property
    def me(self) -> str:
        """One's own name; empty if it isn't known."""
        with self._lock:
            return self._me

    def is_me(self, name: str) -> bool:
        """Return whether that is one's own name."""
        with self._lock:
            return self._is_me(name)

    def mentions(self, text: str) -> re.Pattern[str] | None:
        """Return what finds one's own name as a word in `text`, if it is there."""
        with self._lock:
            return self._mention if self._mention is not None and self._mention.search(text) else None

    def note(self, one: Message) -> None:
        """Take note of a message."""
        room, name = one.get("room"), one.get("name")
        with self._lock:
            match one.kind:
                case "welcome":
                    self._rename_me(name or one.get("user"))
                    self._before |= dict.fromkeys(self._rooms)
                    self._rooms = {}
                case "joined" if room:
                    if self._is_me(name):
                        self._rooms.pop(room, None)
                        self._rooms[room] = {}
                        self._before.pop(room, None)
                    self._add(room, name)
                case "left":
                    if self._is_me(name):
                        self._rooms.pop(room, None)
                        self._before.pop(room, None)
                    self._rooms.get(room, {}).pop(same_name_key(name), None)
                case "renamed":
                    self._rename(one.get("before"), name)
                case "members":
                    self._add_all(room, one.fields.get("members"))
                case "notice" if one.get("code") == "room" and "count" not in one.fields and room in self._rooms:
                    self._rooms[room] = self._rooms.pop(room)  # one speaks there now
                case "say":
                    self._add(room, one.get("sender"))

    def _is_me(self, name: str) -> bool:
        return bool(name) and same_name_key(name) == same_name_key(self._me)

    def _rename_me(self, name: str) -> None:
        self._me = name
        word = re.escape(name)
        self._mention = re.compile(rf"(?<!\w)(?<!\w[.-]){word}(?!\w|[.-]\w)", re.IGNORECASE) if name else None

    def _rename(self, before: str, name: str) -> None:
        if self._is_me(before):
            self._rename_me(name)
        for room, members in self._rooms.items():
            if members.pop(same_name_key(before), None) is not None:
                self._add(room, name)

    def _add_all(self, room: str, members: Any) -> None:
        for member in members if isinstance(members, list) else []:
            self._add(room, Message({"kind": "", "name": member}).get("name"))

    def _add(self, room: str, name: str) -> None:
        members = self._rooms.get(room)
        if members is not None and len(members) < MAX_NAMES and name.split() == [name]:
            members[same_name_key(name)] = name
