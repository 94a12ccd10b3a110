"""One message of a room's history: in memory, as a `history` message, and as a line of ``chat-history.jsonl``.

A line is the `say` message that the members received, one JSON object:

    {"kind":"say","text":"hello","room":"#lobby","sender":"ann","id":7,"at":"2026-01-31T12:00:00Z"}

`account` is there where the sender has another name than its account. A block (see `blocks`) is one line: `lines` has
its lines, `text` the same joined, and `id` is the last line's. Fields beyond these (`action`, those of a newer version)
are kept as they are.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sockctl.errors import StoreFormatError
from sockctl.protocol.messages import Message, encode_message, split_block
from sockctl.protocol.names import make_name_key
from sockctl.stores.schema import timestamp
from sockctl.text import clean, has_controls

LINE_BYTES = 160
"""Bytes of what stands around each line of a block for a client that gets each by itself."""
_TEXTS = ("text", "room", "sender")


class HistoryEntry(NamedTuple):
    """A message of a room's history.

    Attributes:
        id: Its id.
        json: The JSON text of its `say` message, in UTF-8.
        key: The author key of its sender.
        lines: How many lines it has; each has an id of its own.
    """

    id: int
    json: bytes
    key: str
    lines: int = 1

    @property
    def told_bytes(self) -> int:
        """About how many bytes a client is told that gets each line by itself."""
        return len(self.json) + (self.lines - 1) * LINE_BYTES

    def cut_seen(self, after: int) -> "HistoryEntry":
        """Return the entry without the lines of a block that a client has seen: those up to the id `after`."""
        unseen = self.id - after
        if unseen >= self.lines:
            return self
        fields = json.loads(self.json)
        lines = fields.pop("lines")[-unseen:]
        if unseen > 1:
            fields["lines"] = lines
        one = Message({**fields, "text": " ".join(lines)})
        return HistoryEntry(self.id, encode_message(one).encode(), self.key, unseen)


def read_entry(line: bytes) -> HistoryEntry:
    """Return the message of a line that `check_entry` accepted."""
    fields = json.loads(line)
    return HistoryEntry(fields["id"], line, _read_author(fields), len(fields.get("lines", [""])))


def filter_ignored(entries: Sequence[HistoryEntry], ignored: Collection[str]) -> Sequence[HistoryEntry]:
    """Return the messages, without those of ignored author keys."""
    return [one for one in entries if one.key not in ignored] if ignored else entries


def replay_messages(entries: Sequence[HistoryEntry], *, again: bool = False, blocks: bool = False) -> Iterator[Message]:
    """Yield the `history` messages for a client; all but the last one say `more`.

    Args:
        entries: The entries.
        again: Whether the client asked for them, and may have seen them.
        blocks: Whether the client shows blocks; else it gets a message for each line.
    """
    left = len(entries) if blocks else sum(one.lines for one in entries)
    for entry in entries:
        said = Message({**json.loads(entry.json), "kind": "history"})
        for one in [said] if blocks else split_block(said):
            left -= 1
            marks = {"more": left > 0, "again": again}
            yield Message({**one.fields, **{name: True for name, holds in marks.items() if holds}})


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
    _check_lines(fields, number)
    return fields["room"], number


def _read_author(fields: dict[str, Any]) -> str:
    account = fields.get("account")
    return account if type(account) is str and account else make_name_key(fields["sender"])


def _check_lines(fields: dict[str, Any], number: int) -> None:
    lines = fields.get("lines", [""])
    if type(lines) is not list or not 0 < len(lines) <= number:
        raise StoreFormatError("its lines are no list, empty, or more than its id")
    if any(type(line) is not str or has_controls(line) for line in lines):
        raise StoreFormatError("one of its lines is no text, or holds control characters")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
