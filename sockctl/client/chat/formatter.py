"""The look of a message to a person: time, room, sender, text. Text of a peer is made visible.

`MessageFormatter.look` makes the parts of a message once, and `MessageFormatter.rows` lays them out for a width.
`MessageFormatter.line` is for output that a terminal wraps by itself.
"""

import datetime
import re
import zlib
from typing import NamedTuple

from sockctl.client.chat.layout import arrange_columns, measure_width, shorten, wrap_entry, wrap_text
from sockctl.client.chat.member_list import list_cells
from sockctl.client.chat.roster import ChatContext
from sockctl.client.chat.theme import Theme, choose_theme
from sockctl.palette import END
from sockctl.protocol.messages import Message, format_line
from sockctl.protocol.names import is_name, make_name_key
from sockctl.stores.timestamps import Clock, parse_timestamp, read_utc_clock
from sockctl.text import make_visible

MAX_LINES = 1_000
"""Lines of one message that are shown; our servers send 200 at most."""
MAX_COLOURED = 4_096
"""Names whose colours are remembered."""
_BOLD, _MARKED = "\x1b[1m", "\x1b[1;7m"
_BODY_COLUMNS = 16
"""Columns that the names in front leave to the text, where the terminal is narrow."""
_SHORT_NAME = 8
_TIME_COLUMNS = 6
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) UTC")

_TWO_COLUMNS = re.compile(r" *\S+(?: \S+)* {2,}(?=\S)")
"""Matches the first of two columns, up to the second one."""


class Piece(NamedTuple):
    """A piece of a head, in front of a text.

    Attributes:
        text: The piece.
        style: The ANSI sequence that begins its style; empty for none.
        is_name: Whether it may be shortened on a narrow terminal.
    """

    text: str
    style: str = ""
    is_name: bool = False


class Look(NamedTuple):
    """A message as it looks, whatever the width.

    Attributes:
        head: The pieces in front of the text, behind the time.
        body: The lines of the text.
        style: The ANSI sequence that begins the style of head and body; empty for none.
        mention: Finds the reader's name in the body; None where nobody mentions the reader.
        cells: The texts below the body, in columns.
        second: Where the second column of the body begins; 0 where there is none.
    """

    head: tuple[Piece, ...]
    body: tuple[str, ...]
    style: str = ""
    mention: re.Pattern[str] | None = None
    cells: tuple[str, ...] = ()
    second: int = 0

    def texts(self) -> list[str]:
        """Return all its texts."""
        return [*(piece.text for piece in self.head), *self.body, *self.cells]


class MessageFormatter:
    """Formats messages as rows and lines.

    Args:
        colours: Whether lines may be coloured; they can be read without.
        theme: The colours; None for those that fit any background.
        now: The time.
        zone: Where the person is; None for the system's own time zone.
    """

    def __init__(
        self,
        *,
        colours: bool,
        theme: Theme | None = None,
        now: Clock = read_utc_clock,
        zone: datetime.tzinfo | None = None,
    ) -> None:
        self._colours = colours
        self._theme = theme or choose_theme(None)
        self._now = now
        self._zone = zone
        self._coloured: dict[str, str] = {}  # the styles of senders
        self._last_moment: tuple[str, datetime.datetime | None] = ("", None)

    def format(self, one: Message, context: ChatContext | None = None) -> str:
        """Return a message as a line, without the line's end; its time, where it has one, and its room in front."""
        context = context or ChatContext()
        look = self.look(one, context, marks_rooms=context.in_several_rooms)
        body = make_visible(format_line(one)) if look.cells else " ".join(look.body)
        if look.style:
            return self.paint("".join(piece.text for piece in look.head) + body, look.style)
        time = self._date(one) if one.kind in {"say", "history"} else ""
        return f"{time}{self._paint_head(look)}{self._highlight(body, look)}"

    def look(self, one: Message, context: ChatContext, *, marks_rooms: bool) -> Look:
        """Return how a message looks.

        Args:
            one: The message.
            context: The reader's name.
            marks_rooms: Whether the room stands in front, unless the text names it.
        """
        match one.kind:
            case "say" | "history":
                return self._format_speech(one, context, marks_rooms=marks_rooms)
            case "ask":
                return Look((), (make_visible(format_line(one)),))
            case "members":
                text, cells = list_cells(one)
                return Look((), (text,), cells=cells)
            case "error":
                return Look((Piece("! "),), (self._in_own_zone(one),), self._theme.error)
        head, text = Piece(f"* {_room(one) if marks_rooms else ''}"), self._in_own_zone(one)
        columns = _TWO_COLUMNS.match(text) if one.get("code") == "help" else None
        return Look((head,), (text,), self._theme.faint, second=0 if columns is None else columns.end())

    def moment(self, one: Message, arrived: datetime.datetime) -> datetime.datetime:
        """Return when a message was said, else when it arrived, as clocks show it where the reader is."""
        at = one.fields.get("at")
        return (self._parse(at) if type(at) is str else None) or arrived.astimezone(self._zone)

    def now(self) -> datetime.datetime:
        """Return the time as clocks show it where the reader is."""
        return self._now().astimezone(self._zone)

    def rows(self, look: Look, at: datetime.datetime, columns: int) -> list[str]:
        """Return the rows of a message: the time and the head on the first, the text behind, wrapped and indented."""
        look, used = _fit_head(look, columns)
        indent = used if used <= columns // 2 else min(_TIME_COLUMNS, columns // 4)
        rest = columns - indent
        rows: list[str] = []
        for text in look.body:
            if look.second and used == indent:
                rows += wrap_entry(text, look.second, rest)
            else:
                rows += wrap_text(text, first=rest if rows else columns - used, rest=rest)
        if look.style:
            rows[0] = "".join([piece.text for piece in look.head]) + rows[0]
            rows = [self.paint(row, look.style) for row in rows]
        else:
            rows = [self._highlight(row, look) for row in rows] if look.mention is not None else rows
            rows[0] = self._paint_head(look) + rows[0]
        rows += arrange_columns(look.cells, rest)
        time = self.paint(f"{at.hour:02}:{at.minute:02}", self._theme.faint)
        first = f"{time} {rows[0]}"
        return [first] if len(rows) == 1 else [first, *(" " * indent + row if row else "" for row in rows[1:])]

    def rule(self, row: str) -> str:
        """Return a row that separates, as it looks."""
        return self.paint(row, self._theme.faint)

    def paint(self, text: str, style: str) -> str:
        """Return `text` in a style."""
        return f"{style}{text}{END}" if self._colours and style and text else text

    def _format_speech(self, one: Message, context: ChatContext, *, marks_rooms: bool) -> Look:
        sender, fields = one.get("sender"), one.fields
        body = _lines(one)
        room = _room(one) if marks_rooms else ""
        head = [Piece(room)] if room else []
        mention = None
        own = context.is_me(sender)
        if fields.get("private") is True:
            to = one.get("to") if own else ""
            head.append(Piece(f"[private to {_name(to)}]" if to else "[private]", _BOLD))
            head.append(Piece(" "))
        if sender and context.mention is not None and not own and any(map(context.mention.search, body)):
            mention = context.mention
            head.append(Piece(">> "))
        action = fields.get("action") is True
        if sender:
            name = Piece(_name(sender), self._colour_of(sender), is_name=True)
            head += [Piece("* "), name, Piece(" ")] if action else [Piece("<"), name, Piece("> ")]
        elif action:
            head.append(Piece("* "))
        return Look(tuple(head), body, mention=mention)

    def _colour_of(self, sender: str) -> str:
        style = self._coloured.get(sender)
        if style is None:
            if len(self._coloured) >= MAX_COLOURED:
                self._coloured.clear()
            names = self._theme.names
            style = names[zlib.crc32(make_name_key(sender).encode()) % len(names)] if names else ""
            if is_name(sender):
                self._coloured[sender] = style
        return style

    def _date(self, one: Message) -> str:
        """Return the time of a message, with its date if that isn't today; empty without one."""
        moment = self._parse(one.get("at"))
        return "" if moment is None else self.paint(self._clock(moment), self._theme.faint) + " "

    def _in_own_zone(self, one: Message) -> str:
        """Return the text; where fields have its moments, these are in the reader's time zone."""
        text = make_visible(format_line(one))
        is_told = any(self._parse(at) is not None for field in ("since", "until") if (at := one.get(field)))
        return _MOMENT.sub(self._show_moment, text) if is_told else text

    def _show_moment(self, found: re.Match[str]) -> str:
        try:
            moment = datetime.datetime.fromisoformat(f"{found[1]}+00:00").astimezone(self._zone)
        except (ValueError, OverflowError):
            return found[0]
        return self._clock(moment)

    def _clock(self, moment: datetime.datetime) -> str:
        """Return a moment as a clock shows it, with its date if that isn't today."""
        return f"{moment:%H:%M}" if moment.date() == self.now().date() else f"{moment:%Y-%m-%d %H:%M}"

    def _parse(self, at: str) -> datetime.datetime | None:
        """Return the moment that a text names, as clocks show it here; None if it names none."""
        known, moment = self._last_moment
        if at == known:
            return moment  # messages of one second have one text
        try:
            moment = parse_timestamp(at).astimezone(self._zone)
        except ValueError:
            moment = None
        self._last_moment = at, moment
        return moment

    def _paint_head(self, look: Look) -> str:
        if not self._colours:
            return "".join([piece.text for piece in look.head])
        return "".join([f"{style}{text}{END}" if style else text for text, style, _ in look.head])

    def _highlight(self, row: str, look: Look) -> str:
        return row if look.mention is None else look.mention.sub(lambda found: self.paint(found[0], _MARKED), row)


def _lines(one: Message) -> tuple[str, ...]:
    """Return the lines of a block, or the text of another message."""
    lines = one.fields.get("lines")
    if not isinstance(lines, list) or not lines:
        return (make_visible(one.text),)
    return tuple(make_visible(line) for line in lines[:MAX_LINES] if isinstance(line, str)) or (make_visible(one.text),)


def _name(name: str) -> str:
    """Return a name as it may stand in a row: a tab has no width of its own."""
    return make_visible(name).replace("\t", " ")


def _room(one: Message) -> str:
    """Return the room as it stands in front; empty where there is none, or the text names it."""
    room = _name(one.get("room")).lstrip("#")
    if not room:
        return ""
    said = one.kind in {"say", "history"}
    return f"#{room} " if said or f"#{room}".lower() not in one.text.lower() else ""


def _fit_head(look: Look, columns: int) -> tuple[Look, int]:
    """Return the look with a head that fits, and the columns of time and head."""
    used = _TIME_COLUMNS + sum([measure_width(piece.text) for piece in look.head])
    excess = used - (columns - _BODY_COLUMNS)
    if excess <= 0:
        return look, used
    head = []
    for piece in look.head:
        width = measure_width(piece.text)
        if piece.is_name and width > _SHORT_NAME:
            short = shorten(piece.text, max(_SHORT_NAME, width - excess))
            used -= width - measure_width(short)
            head.append(piece._replace(text=short))
        else:
            head.append(piece)
    return look._replace(head=tuple(head)), used
