"""What the log says, as data: entries of nodes, and what a reader must tell of."""

from dataclasses import dataclass
from typing import Any, NamedTuple

EPOCH, NODE, GONE = "epoch", "node", "gone"
"""Kinds of entries that functions make: an epoch begins, a node registers, a node was buried."""
_ID_FROM = len("0-")
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
    """Return the entry of a row, as the engine's XREAD has it."""
    name, words = row
    number = int(name[_ID_FROM:])
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
