"""How a watched server looks on a terminal: figures, a table with a cursor on one of its columns, and a line of keys.

The view knows no terminal and no clock: keys and pictures go in, text by Rich comes out.
"""

import io
import itertools
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sockctl.cli.tables import make_grid
from sockctl.cli.watch_columns import COLUMNS, Column, Fields
from sockctl.cli.watch_picture import Picture, select_rows
from sockctl.text import make_visible
from sockctl.wrapping import measure_width, wrap_lines

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

GAP = 2
FIXED = 2
"""The first columns, which say whose row it is, are always shown."""
LEAST_PEER = 21
"""Columns of an IPv4 address with its port; in a narrow terminal, a longer peer is cut."""
MAX_FILTER = 64
_COLUMN_STEPS = {"left": -1, "right": 1, "home": -len(COLUMNS), "end": len(COLUMNS)}
"""By how many of the shown columns a key moves the cursor."""
_ROW_STEPS = {"up": -1, "down": 1}
_EXPLAIN, _QUIT = frozenset("e?"), frozenset({"q", "c-d"})
KEYS = "q quit   ←→ column   s sort   ↑↓ rows   / filter by peer   e explain the column"


class View:
    """What the user sees, and has chosen to see.

    Args:
        sort: The column to sort by.
        turned: Whether its usual order is turned round.
        peer: The text that the peers of all shown connections have.

    Attributes:
        picture: What the server does.
        is_over: Whether the user has asked to quit.
        silent_s: For how many seconds the server hasn't answered; 0 where that is not worth a word.
    """

    def __init__(self, *, sort: Column, turned: bool = False, peer: str = "") -> None:
        self.picture: Picture | None = None
        self.is_over = False
        self.silent_s = 0
        self._cursor = COLUMNS.index(sort)
        self._sort = sort
        self._reverse = sort.goes_down != turned
        self._peer = peer
        self._is_typing = False  # a filter
        self._explains = False
        self._top = 0  # the first row that is shown
        self._page = 1

    # Keys.

    def press(self, key: str) -> None:
        """React to a key: a character, or the name that prompt_toolkit gives it."""
        if self._is_typing:
            self._type(key)
            return
        if key in _COLUMN_STEPS:
            self._move(_COLUMN_STEPS[key])
        elif key in _ROW_STEPS:
            self._top += _ROW_STEPS[key]
        elif key in {"pageup", "pagedown"}:
            self._top += self._page if key == "pagedown" else -self._page
        elif key in {"s", "c-m"}:
            self._sort_by(COLUMNS[self._cursor])
        elif key in _EXPLAIN:
            self._explains = not self._explains
        elif key == "/":
            self._is_typing = True
        elif key == "escape":
            self._peer, self._explains = "", False
        elif key in _QUIT:
            self.is_over = True

    def _move(self, steps: int) -> None:
        """Move the cursor among the columns that aren't left out."""
        empty = set() if self.picture is None else find_empty(self._select())
        shown = [at for at in range(len(COLUMNS)) if at not in empty or at == self._cursor]
        self._cursor = shown[max(0, min(shown.index(self._cursor) + steps, len(shown) - 1))]

    def _type(self, key: str) -> None:
        """Edit the filter."""
        match key:
            case "c-m" | "c-j":
                self._is_typing = False
            case "escape":
                self._is_typing, self._peer = False, ""
            case "c-h" | "delete":
                self._peer = self._peer[:-1]
            case _ if len(key) == 1 and key.isprintable():
                self._peer = (self._peer + key)[:MAX_FILTER]

    def _sort_by(self, column: Column) -> None:
        if column is self._sort:
            self._reverse = not self._reverse
        else:
            self._sort, self._reverse = column, column.goes_down

    # Text.

    def render(self, width: int, height: int) -> "Group":
        """Return the whole screen."""
        from rich.console import Group
        from rich.text import Text

        if self.picture is None:
            return Group(
                Text("Asking the server…"), *([Text(_describe_silence(self.silent_s))] if self.silent_s else [])
            )
        rows = self._select()
        room = height - len(self._make_footer(width, len(rows))) - 1
        above = make_figures(self.picture, width)[: max(1, room - 1)]
        self._page = max(1, room - len(above))
        self._top = max(0, min(self._top, len(rows) - self._page))
        below = self._make_footer(width, len(rows))  # again, for the rows that are really shown
        shown = rows[self._top : self._top + self._page]
        table = make_table(shown, width, empty=find_empty(rows), cursor=self._cursor)
        padding = [Text("")] * (self._page - len(shown))
        return Group(*above, table, *padding, *below)

    def _select(self) -> list[Fields]:
        assert self.picture is not None  # noqa: S101  the callers have checked it
        return select_rows(self.picture.rows, column=self._sort, reverse=self._reverse, peer=self._peer)

    def _make_footer(self, width: int, count: int) -> "list[Text]":
        """Return the lines below the table: what is shown of it, and the keys, the filter or the explanation."""
        from rich.text import Text

        arrow = "↓" if self._reverse else "↑"
        last = min(count, self._top + self._page)
        where = f"rows {self._top + 1:,}-{last:,} of {count:,}" if count else "no rows"
        where += f", by {self._sort.title} {arrow}"
        if self._peer and not self._is_typing:
            where += f", peers with {make_visible(self._peer)!r} (Esc shows all)"
        if self._is_typing:
            keys = f"peers with: {make_visible(self._peer)}▏ (Enter keeps it, Esc removes it)"
        elif self._explains:
            keys = f"{COLUMNS[self._cursor].title}: {COLUMNS[self._cursor].meaning}"
        else:
            keys = KEYS
        silence = [(_describe_silence(self.silent_s), "yellow")] if self.silent_s else []
        parts = [*silence, (where, "dim"), (keys, "dim" if keys is KEYS else "")]
        return [Text(line, style) for text, style in parts for line in wrap_lines(text, width).split("\n")]


def _describe_silence(seconds: int) -> str:
    return f"The server hasn't answered for {seconds:,} s: it is very busy, or its process is stopped."


def make_figures(picture: Picture, width: int) -> "list[Text]":
    """Return the figures above a table, in lines that break between figures."""
    from rich.text import Text

    lines = [Text()]
    for figure in picture.list_figures():
        text = Text()
        if figure.title:
            text.append(f"{figure.title} ", "dim")
        text.append(figure.text, "bold yellow" if figure.is_bad else "bold" if not figure.title else "")
        if lines[-1] and lines[-1].cell_len + GAP + text.cell_len > width:
            lines.append(Text())
        elif lines[-1]:
            lines[-1].append(" " * GAP)
        lines[-1].append(text)
    return lines


def find_empty(rows: Sequence[Fields]) -> set[int]:
    """Return the columns of text in which no row has any."""
    return {
        at for at, column in enumerate(COLUMNS) if not (column.is_number or any(row.get(column.field) for row in rows))
    }


def make_table(
    rows: Sequence[Fields], width: int, *, empty: Collection[int] = (), cursor: int | None = None
) -> "Table":
    """Return the table of some rows by Rich, with as many columns as fit.

    Args:
        rows: The rows.
        width: Columns of the terminal.
        empty: Columns that are left out.
        cursor: The column that has the cursor, and is shown in any case; None for no cursor.
    """
    from rich.text import Text

    cells = [[make_visible(column.make_cell(row)) for column in COLUMNS] for row in rows]
    widths = [
        max([column.least_width, *(measure_width(row[at]) for row in cells)]) for at, column in enumerate(COLUMNS)
    ]
    widths[1] = min(widths[1], max(LEAST_PEER, width // 4))
    chosen = choose_columns(widths, width, 0 if cursor is None else cursor, empty)
    table = make_grid()
    for at in chosen:
        title = Text(COLUMNS[at].title, "reverse" if at == cursor else "")
        table.add_column(
            title,
            width=widths[at],
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if COLUMNS[at].is_number else "left",
        )
    for row in cells:
        table.add_row(*(Text(row[at]) for at in chosen))
    return table


def choose_columns(widths: Sequence[int], width: int, cursor: int, empty: Collection[int] = ()) -> list[int]:
    """Return the columns that fit: the fixed ones, and those behind them, up to the cursor's at least.

    Args:
        widths: The width of each column.
        width: Columns of the terminal.
        cursor: The column that must be shown.
        empty: Columns that are left out, unless the cursor is there.
    """
    fixed = list(range(FIXED))
    room = width - sum(widths[:FIXED]) - GAP * (FIXED - 1)
    others = [at for at in range(FIXED, len(widths)) if at not in empty or at == cursor]
    while True:
        ends = itertools.accumulate(GAP + widths[at] for at in others)
        chosen = [at for at, end in zip(others, ends, strict=True) if end <= room]
        if cursor in fixed or cursor in chosen:
            return [*fixed, *chosen]
        if others[0] == cursor:
            return [*fixed, cursor]  # too narrow for it: it is cut
        others.pop(0)


def format_once(picture: Picture, rows: Sequence[Fields], *, width: int, colour: bool) -> str:
    """Return the figures and all rows as text for a terminal, without the last line's end.

    Args:
        picture: What the server does.
        rows: The rows.
        width: Columns of the terminal.
        colour: Whether the text is coloured.
    """
    from rich.console import Console, Group

    console = Console(file=io.StringIO(), width=width, height=len(rows) + 1, force_terminal=colour, no_color=False)
    with console.capture() as capture:
        console.print(Group(*make_figures(picture, width), make_table(rows, width, empty=find_empty(rows))))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
