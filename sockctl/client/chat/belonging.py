"""The messages that belong to a room; the window shows all others wherever the reader is."""

from sockctl.protocol.messages import Message
from sockctl.protocol.names import make_name_key

_CODES = frozenset({"topic", "missed", "history"})
"""Codes of notices that belong to the room that they name."""


def is_of_room(one: Message) -> bool:
    """Return whether a message belongs to the room that it names."""
    match one.kind:
        case "say" | "history":
            return one.fields.get("private") is not True
        case "joined" | "left" | "renamed":
            return True
        case "members":
            return "details" not in one.fields and "page" not in one.fields
        case "notice":
            return one.get("code") in _CODES
    return False


def room_key(room: str) -> str:
    """Return the key of a room, whether its name was written with # or without; empty for none."""
    return f"#{make_name_key(room.removeprefix('#'))}" if room else ""
