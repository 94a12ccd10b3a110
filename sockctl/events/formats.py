"""How events look: one line each in a file or a pipe, wrapped lines on a terminal, JSON lines for programs."""

import datetime
import json
from collections import Counter
from collections.abc import Callable

from sockctl.events.base import ConnectionEvent, Event, Level, Record
from sockctl.events.connection import ClientConnected
from sockctl.events.explain import Explain
from sockctl.events.udp import ClientHeard
from sockctl.palette import Style, paint
from sockctl.terminal import is_terminal, measure_columns, wants_colour
from sockctl.text import escape_json, make_visible
from sockctl.wrapping import wrap_words

Format = Callable[[Record], str]
"""Makes the text of a record, without the last line feed; an empty text stands for nothing to show."""

NAME_COLUMNS = 19
"""Columns of an event's name; few names are longer."""
ROOMY = 72
"""From this width on, a terminal shows what happened beside the name of the event; else below it."""
INDENT = 2
"""Columns in front of the lines below a name."""
LEAST_COLUMNS = 16
"""A terminal that says it is narrower is taken to be as wide as this."""
_STYLES = {
    Level.DETAIL: Style.FAINT,
    Level.INFO: Style.NORMAL,
    Level.WARNING: Style.WARNING,
    Level.ERROR: Style.ERROR,
}


class _Explainer:
    """Decides which events are explained: with FIRST, the first ones of each kind."""

    def __init__(self, explain: Explain) -> None:
        self._explain = explain
        self._seen: Counter[str] = Counter()

    def explains(self, event: Event) -> bool:
        """Return whether to explain an event, and count it."""
        if self._explain is not Explain.FIRST:
            return self._explain is Explain.ALWAYS
        self._seen[event.name] += 1
        return self._seen[event.name] <= event.explained


class _Stamps:
    """Gives times in local time, and formats each second only once.

    Args:
        form: The form of a second, for `strftime`.
    """

    def __init__(self, form: str) -> None:
        self._form = form
        self._second: int | None = None
        self._formatted = ""

    def format_second(self, seconds: float) -> str:
        """Return a time that is given in seconds since the epoch."""
        second = int(seconds)
        if second != self._second:
            moment = datetime.datetime.fromtimestamp(second, tz=datetime.UTC).astimezone()
            self._second, self._formatted = second, moment.strftime(self._form)
        return self._formatted


class FileFormat:
    """Makes ``2026-01-31 12:00:00.000 data_received #3 127.0.0.1:50000  Received …``, in local time.

    Args:
        explain: Which events are explained.
    """

    def __init__(self, explain: Explain = Explain.ALWAYS) -> None:
        self._stamps = _Stamps("%Y-%m-%d %H:%M:%S")
        self._explainer = _Explainer(explain)

    def __call__(self, record: Record) -> str:
        """Return the line."""
        time, _, event = record
        text = event.text if self._explainer.explains(event) else event.happened
        return make_visible(
            f"{self._stamps.format_second(time)}.{int(time % 1 * 1000):03} {event.name} {_format_origin(event)}{text}"
        )


class PipeFormat:
    """Makes ``12:00:00 data_received       #3 127.0.0.1:50000  Received …``, in local time.

    Args:
        colours: Whether the name is coloured.
        explain: Which events are explained.
    """

    def __init__(self, *, colours: bool, explain: Explain = Explain.ALWAYS) -> None:
        self._colours = colours
        self._stamps = _Stamps("%H:%M:%S")
        self._explainer = _Explainer(explain)

    def __call__(self, record: Record) -> str:
        """Return the line."""
        time, _, event = record
        text = event.text if self._explainer.explains(event) else event.happened
        rest = make_visible(f"{_format_origin(event)}{text}")
        name = f"{event.name:<{NAME_COLUMNS}}"
        shown = paint(name, _STYLES[event.own_level]) if self._colours else name
        return f"{self._stamps.format_second(time)} {shown} {rest}"


class TerminalFormat:
    """Makes compact lines for a terminal: time, event, number of the connection, what happened, the explanation.

    The lines are wrapped at words, and a line that goes on is indented. The address of a client stands where it
    connects and in warnings; its number stands everywhere.

    Args:
        colours: Whether lines are coloured.
        columns: Returns how wide the terminal is at this time.
        explain: Which events are explained.
    """

    def __init__(self, *, colours: bool, columns: Callable[[], int], explain: Explain = Explain.FIRST) -> None:
        self._colours = colours
        self._columns = columns
        self._stamps = _Stamps("%H:%M:%S")
        self._explainer = _Explainer(explain)
        self._shown: set[str] = set()

    def __call__(self, record: Record) -> str:
        """Return the lines; none for an event that is shown once and was shown."""
        event = record.event
        if self._was_shown(event):
            return ""
        width = max(LEAST_COLUMNS, self._columns())
        roomy = width >= ROOMY
        stamp, name = self._stamps.format_second(record.time), f"{event.name:<{NAME_COLUMNS if roomy else 0}}"
        indent = len(stamp) + NAME_COLUMNS + 2 if roomy else INDENT
        rest = width - indent
        first = rest - max(0, len(name) - NAME_COLUMNS) if roomy else rest
        head = f"{self._paint(stamp, Style.FAINT)} {self._paint(name, _STYLES[event.own_level])}"
        between = f"\n{' ' * indent}"
        lines = self._format_lines(event, first=first, rest=rest)
        return f"{head}{' ' if roomy else between}{between.join(lines)}"

    def _was_shown(self, event: Event) -> bool:
        key = event.shown_once
        if key is None:
            return False
        key = f"{event.name} {key}"
        was_shown = key in self._shown
        self._shown.add(key)
        return was_shown

    def _format_lines(self, event: Event, *, first: int, rest: int) -> list[str]:
        """Return what happened and the explanation, wrapped."""
        text = make_visible(f"{_format_short_origin(event)}{event.happened}")
        explains = self._explainer.explains(event)
        if not explains and len(text) <= first and text.isascii() and "\t" not in text:
            return [text]
        happened = text.split()
        explanation = make_visible(event.explanation).split() if explains else []
        lines, plain = [], len(happened)
        for words in wrap_words([*happened, *explanation], first=first, rest=rest):
            said, explained = " ".join(words[:plain]), " ".join(words[plain:])
            plain = max(0, plain - len(words))
            if explained:
                explained = self._paint(explained, Style.FAINT)
            lines.append(f"{said} {explained}" if said and explained else said or explained)
        return lines

    def _paint(self, text: str, style: Style) -> str:
        return paint(text, style) if self._colours else text


def choose_live_format(descriptor: int, explain: Explain | None) -> Format:
    """Return the format for a reader who watches: wrapped on a terminal, one line an event in a pipe.

    Args:
        descriptor: Where the text will be written.
        explain: Which events are explained; None for the first ones on a terminal, and for all in a pipe.
    """
    colours = wants_colour(descriptor)
    if not is_terminal(descriptor):
        return PipeFormat(colours=colours, explain=explain or Explain.ALWAYS)
    return TerminalFormat(
        colours=colours, columns=lambda: measure_columns(descriptor), explain=explain or Explain.FIRST
    )


def encode_json(record: Record) -> str:
    """Return one JSON object: time (RFC 3339, UTC), event, service, the event's own fields, text.

    It is UTF-8; characters that could steer a terminal are escaped.
    """
    stamp = datetime.datetime.fromtimestamp(record.time, tz=datetime.UTC).isoformat(timespec="milliseconds")
    event = record.event
    head = {"time": stamp.replace("+00:00", "Z"), "event": event.name, "service": record.service}
    return escape_json(json.dumps({**head, **event.fields, "text": event.text}, ensure_ascii=False))


def _format_origin(event: Event) -> str:
    return f"#{event.connection} {event.peer}  " if isinstance(event, ConnectionEvent) else _format_number(event)


def _format_number(event: Event) -> str:
    """Return the number of the client, in an event of `sockctl listen` that has no more of it."""
    number = getattr(event, "connection", None)
    return "" if number is None else f"#{number} "


def _format_short_origin(event: Event) -> str:
    if not isinstance(event, ConnectionEvent):
        return _format_number(event)
    with_peer = event.own_level >= Level.WARNING or isinstance(event, ClientConnected | ClientHeard)
    return f"#{event.connection} {event.peer} " if with_peer else f"#{event.connection} "
