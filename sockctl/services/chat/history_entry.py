"""One line of ``chat-history.jsonl``: the `say` message of a room as its members got it, one JSON object.

    {"kind":"say","text":"hello","room":"#lobby","sender":"ann","id":7,"at":"2026-01-31T12:00:00Z"}

Fields beyond these (`action`, those of a newer version) are kept as they are.
"""

import json
from typing import Any

from sockctl.errors import StoreFormatError
from sockctl.stores.schema import timestamp
from sockctl.text import clean, has_controls

__all__ = ["read_entry"]

_TEXTS = ("text", "room", "sender")


def read_entry(line: bytes) -> tuple[str, int]:
    """Return the room and the id of a message.

    Raises:
        StoreFormatError: It is none of the chat's; the error says why, as the end of a sentence.
    """
    try:
        fields = json.loads(line.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise StoreFormatError("it is no JSON in UTF-8") from error
    if type(fields) is not dict or fields.get("kind") != "say":
        raise StoreFormatError('it is no object of the kind "say"')
    for key in _TEXTS:
        value = fields.get(key)
        # Of a text an older version may have kept what is left out today: that is left out when it is told.
        if type(value) is not str or has_controls(value) or (key != "text" and clean(value) != value):
            raise StoreFormatError(f"its {key} is no text, or holds control characters")
    number = fields.get("id")
    if type(number) is not int or number < 1:
        raise StoreFormatError("its id is no whole number from 1 on")
    timestamp(fields.get("at"), ("at",))
    return fields["room"], number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
