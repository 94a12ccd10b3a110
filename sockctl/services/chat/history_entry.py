"""One message of a room's history: in memory, as a `history` message, and as a line of ``chat-history.jsonl``.

A line is the `say` message that the members received, one JSON object:

    {"kind":"say","text":"hello","room":"#lobby","sender":"ann","id":7,"at":"2026-01-31T12:00:00Z"}

Fields beyond these (`action`, those of a newer version) are kept as they are.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sockctl.errors import StoreFormatError
from sockctl.protocol.messages import Message
from sockctl.protocol.names import same_name_key
from sockctl.stores.schema import timestamp
from sockctl.text import clean, has_controls

_TEXTS = ("text", "room", "sender")


class HistoryEntry(NamedTuple):
    """A message of a room's history.

    Attributes:
        id: Its id.
        json: The JSON text of its `say` message, in UTF-8.
        key: The name key of its sender.
    """

    id: int
    json: bytes
    key: str


def read_entry(line: bytes) -> HistoryEntry:
    """Return the message of a line that `check_entry` accepted."""
    fields = json.loads(line)
    return HistoryEntry(fields["id"], line, same_name_key(fields["sender"]))


def filter_ignored(entries: Sequence[HistoryEntry], ignored: Collection[str]) -> Sequence[HistoryEntry]:
    """Return the messages, without those of ignored name keys."""
    return [one for one in entries if one.key not in ignored] if ignored else entries


def replay_messages(entries: Sequence[HistoryEntry], *, again: bool = False) -> Iterator[Message]:
    """Yield the `history` messages for a client; all but the last one say `more`.

    Args:
        entries: The entries.
        again: Whether the client asked for them, and may have seen them.
    """
    for number, one in enumerate(entries, 1):
        marks = {"more": number < len(entries), "again": again}
        shown = {name: True for name, holds in marks.items() if holds}
        yield Message({**json.loads(one.json), "kind": "history", **shown})


def check_entry(line: bytes) -> tuple[str, int]:
    """Check a line, and return the room and the id of its message.

    Raises:
        StoreFormatError: The line is no message of the chat; the error says why, as the end of a sentence.
    """
    try:
        fields = json.loads(line.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise StoreFormatError("it is no JSON in UTF-8") from error
    if type(fields) is not dict or fields.get("kind") != "say":
        raise StoreFormatError('it is no object of the kind "say"')
    for key in _TEXTS:
        value = fields.get(key)
        # A text of an older version may hold characters that today's version leaves out: `Message` does so later.
        if type(value) is not str or has_controls(value) or (key != "text" and clean(value) != value):
            raise StoreFormatError(f"its {key} is no text, or holds control characters")
    number = fields.get("id")
    if type(number) is not int or number < 1:
        raise StoreFormatError("its id is no whole number from 1 on")
    timestamp(fields.get("at"), ("at",))
    return fields["room"], number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
