"""The scrollback of a room: its last messages in memory, and which of them are new to the reader."""

import datetime
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from sockctl.client.chat.formatter import Look, MessageFormatter
from sockctl.client.chat.layout import draw_rule

MAX_ENTRIES = 2_000
"""Messages of each room that are kept."""
MAX_NEW_ROWS = 500
"""Rows of new messages that are shown at once, where more than a screen is new."""
_ENTRY_BYTES = 700
"""Roughly what a message takes in memory, besides its texts."""
_POINTER_BYTES = 8
NEW = "new"
HISTORY_END = "end of the history"


class Entry(NamedTuple):
    """A message of a room.

    Attributes:
        at: Its time, where the reader is.
        look: How it looks.
        from_history: Whether the server told it as history, unasked.
        ends_history: Whether it is the last one of that history.
    """

    at: datetime.datetime
    look: Look
    from_history: bool = False
    ends_history: bool = False

    @property
    def size(self) -> int:
        """Roughly how many bytes it takes."""
        return _ENTRY_BYTES + sum([sys.getsizeof(text) + _POINTER_BYTES for text in self.look.texts()])


class Scrollback:
    """The messages of one room. Not thread-safe.

    Attributes:
        size: Roughly how many bytes they take.
        unread: Messages of others since the reader looked.
        mentions: Those of them that mention the reader.
        members: How many are in the room; None where the roster knows all their names.
    """

    def __init__(self) -> None:
        self.size = 0
        self.unread = 0
        self.mentions = 0
        self.members: int | None = None
        self._entries: deque[Entry] = deque()
        self._hidden = 0  # entries since the reader looked
        self._is_hidden = True

    def append(self, entry: Entry) -> None:
        """Add a message."""
        self._entries.append(entry)
        self.size += entry.size
        self._hidden += self._is_hidden
        if len(self._entries) > MAX_ENTRIES:
            self._drop(1)

    def drop_some(self) -> None:
        """Forget the oldest eighth, and one more."""
        self._drop(len(self._entries) // 8 + 1)

    def _drop(self, count: int) -> None:
        for _ in range(min(count, len(self._entries))):
            self.size -= self._entries.popleft().size
        self._hidden = min(self._hidden, len(self._entries))

    def adopt(self, other: "Scrollback") -> None:
        """Take the messages of another one."""
        for entry in other._entries:
            self.append(entry)

    def hide(self) -> None:
        """Note that the reader doesn't see the room any more."""
        self._is_hidden, self._hidden = True, 0

    def reveal(self) -> None:
        """Note that the reader sees the room, and has read all of it."""
        self._is_hidden = False
        self.unread = self.mentions = 0

    def last_rows(self, formatter: MessageFormatter, columns: int, lines: int) -> list[str]:
        """Return the rows that fill so many lines, or more where more is new, with a rule above the new messages."""
        entries = [*self._entries]
        first_new = len(entries) - self._hidden if self.unread else len(entries)
        start, count = len(entries), 0
        while start > 0 and (count < lines or (start > first_new and count < MAX_NEW_ROWS)):
            start -= 1
            count += len(formatter.rows(entries[start].look, entries[start].at, columns))
        shown: list[str] = []
        before = None
        for number, entry in enumerate(entries[start:], start):
            if number == max(start, first_new):
                shown.append(formatter.rule(draw_rule(NEW, columns)))
            shown += rows_of(entry, before, formatter, columns)
            before = entry
        return shown

    def rows_of_last(self, formatter: MessageFormatter, columns: int) -> list[str]:
        """Return the rows of the last message, with rules for a new day and the end of the history."""
        before = self._entries[-2] if len(self._entries) > 1 else None
        return rows_of(self._entries[-1], before, formatter, columns)

    def find(self, word: str, limit: int) -> list[Entry]:
        """Return the last messages in which a word stands, in either case."""
        key = word.casefold()
        found = (entry for entry in reversed(self._entries) if _contains(entry, key))
        return [*islice(found, limit)][::-1]


def rows_of(entry: Entry, before: Entry | None, formatter: MessageFormatter, columns: int) -> list[str]:
    """Return the rows of a message, and the rules that separate it from others."""
    rules = [formatter.rule(draw_rule(title, columns)) for title in _titles(entry, before, formatter)]
    ends = [formatter.rule(draw_rule(HISTORY_END, columns))] if entry.ends_history else []
    return [*rules, *formatter.rows(entry.look, entry.at, columns), *ends]


def rows_of_all(entries: Iterable[Entry], formatter: MessageFormatter, columns: int) -> list[str]:
    """Return the rows of messages that were found, with rules for the days."""
    rows: list[str] = []
    before = None
    for found in entries:
        entry = found._replace(from_history=False, ends_history=False)
        rows += rows_of(entry, before, formatter, columns)
        before = entry
    return rows


def _titles(entry: Entry, before: Entry | None, formatter: MessageFormatter) -> Iterator[str]:
    if before is not None and before.from_history and not (entry.from_history or before.ends_history):
        yield HISTORY_END
    day = entry.at.date()
    if day != (formatter.now().date() if before is None else before.at.date()):
        yield f"{day:%A}, {day.day} {day:%B %Y}"


def _contains(entry: Entry, key: str) -> bool:
    return any(key in text.casefold() for text in entry.look.texts())
