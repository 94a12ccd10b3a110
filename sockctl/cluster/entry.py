"""What the log says, as data: entries of nodes, and what a reader must tell of."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sockctl.errors import NoChatError

EPOCH, NODE, GONE = "epoch", "node", "gone"
"""Kinds of entries that functions make: an epoch begins, a node registers, a node was buried."""
_POSTED_WORDS = 12


class Entry(NamedTuple):
    """An entry of the log. A tuple: each node makes one for each message, and that takes a third of the time.

    Attributes:
        id: Its id; for an entry of several lines, that of the last one.
        kind: What it says, such as ``say``; see `sockctl.cluster.posting`. It may be one of a newer version.
        node: The node that posted it; of ``node`` and ``gone``, the node that has come or gone.
        sequence: Its number among those of the node; 0 for an entry that a function made.
        room: The room that it belongs to; empty for none.
        data: What the node posted.
        lines: How many ids it takes.
        previous: Of an ``epoch``, the last id before it.
    """

    id: int
    kind: str
    node: str = ""
    sequence: int = 0
    room: str = ""
    data: bytes = b""
    lines: int = 1
    previous: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """Entries that this node has read, and that the engine has lost: those above `previous`, up to `upto`."""

    previous: int
    upto: int


@dataclass(frozen=True, slots=True)
class Missed:
    """Entries that this node has not read, and that are in the log no more: those above `previous`, below `before`."""

    previous: int
    before: int


News = Entry | Lost | Missed


def read_entry(row: Any) -> Entry:
    """Return the entry of a row, as the engine's XREAD has it.

    An entry of another form, which no node of this version has posted, has no kind: so no node takes it for anything.

    Raises:
        NoChatError: The id is of another form; above it, the engine gives none of this form.
    """
    name, words = row
    try:
        number = int(name.removeprefix(b"0-"))
    except ValueError as error:
        raise NoChatError(
            f"The log has an entry {name.decode()}, which is not of a chat: this server can't read on."
        ) from error
    try:
        return _read_words(number, words)
    except (LookupError, ValueError):
        return Entry(number, "")


def _read_words(number: int, words: Any) -> Entry:
    if len(words) == _POSTED_WORDS:  # in the order in which `post` writes them
        _, kind, _, node, _, sequence, _, room, _, lines, _, data = words
        return Entry(number, kind.decode(), node.decode(), int(sequence), room.decode(), data, int(lines))
    fields = dict(zip(words[::2], words[1::2], strict=True))
    return Entry(
        number,
        fields[b"k"].decode(),
        fields.get(b"n", b"").decode(),
        data=fields.get(b"d", b""),
        previous=int(fields.get(b"p", 0)),
    )
