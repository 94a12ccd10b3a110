"""The status line: room, members, unread rooms, connection, typing members, and the clock, in one row of any width.

Each part has forms that get shorter, and the row takes the first set of forms that fits. So nothing wraps. The room, a
lost connection and mentions stay the longest.
"""

from typing import NamedTuple

from sockctl.client.chat.layout import measure_width, shorten
from sockctl.text import format_count

STYLE = "reverse"
"""prompt_toolkit's name: the terminal's own two colours, exchanged, can always be read."""
_SEPARATOR = " │ "
_SHORT_ROOM = 10
_NAMES_TYPING = 3


class Unread(NamedTuple):
    """A room with messages that the reader has not seen.

    Attributes:
        number: The digit that goes there with Alt; 0 for none.
        room: Its name.
        messages: How many messages.
        mentions: How many of them mention the reader.
    """

    number: int
    room: str
    messages: int
    mentions: int


class Status(NamedTuple):
    """The facts of the status line.

    Attributes:
        room: The room that is shown.
        members: How many are in it; None for unknown.
        unread: The other rooms in which something was said.
        away_s: Seconds until the client connects again, 0 while it tries; None while it is connected.
        typing: The members that type in the room.
        clock: The time.
        state: How the user is connected, where that is so.
    """

    room: str
    members: int | None
    unread: tuple[Unread, ...] = ()
    away_s: float | None = None
    typing: tuple[str, ...] = ()
    clock: str = ""
    state: str = "connected"


class _Form(NamedTuple):
    """The parts of a row, and how long they are.

    Attributes:
        words: Whether words say what is plain without: that the client is connected, that a number counts members.
        sentences: Whether words tell of a lost connection, and of members that type.
        named: Which unread rooms have their names: 2 for all, 1 for those with mentions, 0 for none.
        typing: Whether the row tells of members that type.
        room_columns: How wide the name of the room may be.
        members: Whether the row counts members.
        clock: Whether the row tells the time.
    """

    words: bool = True
    sentences: bool = True
    named: int = 2
    typing: bool = True
    room_columns: int = 100
    members: bool = True
    clock: bool = True


_FORMS = (
    _Form(),
    _Form(words=False),
    _Form(words=False, sentences=False),
    _Form(words=False, sentences=False, named=1),
    _Form(words=False, sentences=False, named=1, typing=False),
    _Form(words=False, sentences=False, named=0, typing=False),
    _Form(words=False, sentences=False, named=0, typing=False, room_columns=_SHORT_ROOM),
    _Form(words=False, sentences=False, named=0, typing=False, room_columns=_SHORT_ROOM, members=False),
    _Form(words=False, sentences=False, named=0, typing=False, room_columns=_SHORT_ROOM, members=False, clock=False),
)
"""The longest first."""


def status_row(status: Status, columns: int) -> str:
    """Return the row, as wide as the terminal."""
    left = ""
    for form in _FORMS:
        left = _SEPARATOR.join(filter(None, _parts(status, form)))
        clock = status.clock if form.clock else ""
        gap = columns - measure_width(left) - measure_width(clock) - 2
        if gap >= (len(_SEPARATOR) if clock else 0):
            return f" {left}{' ' * gap}{clock} "
    return shorten(f" {left}", columns)


def _parts(status: Status, form: _Form) -> list[str]:
    return [
        shorten(status.room, form.room_columns) + _members(status.members, form),
        _unread(status.unread, form),
        _connection(status, form),
        _typing(status.typing, form),
    ]


def _members(count: int | None, form: _Form) -> str:
    if count is None or not form.members:
        return ""
    return f" {format_count(count, 'member')}" if form.words else f" {count:,}"


def _connection(status: Status, form: _Form) -> str:
    away_s = status.away_s
    if away_s is None:
        return status.state if form.words else ""
    if away_s <= 0:
        return "away, connecting" if form.sentences else "away"
    seconds = f"{max(1, round(away_s))} s"
    return f"away, coming back in {seconds}" if form.sentences else f"away {seconds}"


def _typing(names: tuple[str, ...], form: _Form) -> str:
    if not names or not form.typing:
        return ""
    if not form.sentences or len(names) > _NAMES_TYPING:
        return f"{len(names)} typing"
    return f"{', '.join(names)} {'types' if len(names) == 1 else 'type'}…"


def _unread(rooms: tuple[Unread, ...], form: _Form) -> str:
    if len(rooms) == 1 and form.named <= 1:  # its short name is hardly longer than a count of rooms
        rooms = (rooms[0]._replace(room=shorten(rooms[0].room, _SHORT_ROOM)),)
    named = [one for one in rooms if len(rooms) == 1 or form.named > 1 or (form.named and one.mentions)]
    others = [one for one in rooms if one not in named]
    texts = [
        f"{one.number}:{one.room} {_counts([one])}" if one.number else f"{one.room} {_counts([one])}" for one in named
    ]
    if others:
        texts.append(f"{'+' if named else ''}{format_count(len(others), 'room')} {_counts(others)}")
    return "  ".join(texts)


def _counts(rooms: list[Unread]) -> str:
    count, mentions = sum(one.messages for one in rooms), sum(one.mentions for one in rooms)
    return f"{count:,} !{mentions:,}" if mentions else f"{count:,}"
