"""Prints listings: for people, for scripts and as JSON.

A listing on a terminal is a table by Rich. In a pipe a row is a line with a tab between its cells, and Rich isn't
loaded. JSON is UTF-8 everywhere.
"""

import io
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from sockctl.terminal import STDOUT, columns, is_terminal, say, wants_colour
from sockctl.text import escape_json, visible
from sockctl.wrapping import wrap_lines

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.measure import Measurement
    from rich.table import Table

Fields = Mapping[str, Any]
Row = Sequence[str]

_GAP = 2
_LEAST = 24
"""Cells of a longer word that stay on one line, before its table gives up columns for records."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z")


def print_json(value: object) -> None:
    """Print JSON in UTF-8, without a character that could steer a terminal."""
    from json import dumps

    typer.echo(escape_json(dumps(value, indent=2, ensure_ascii=False)).encode())


def print_list(entries: Sequence[Fields], titles: Row, rows: Iterable[Row], *, empty: str, json: bool) -> None:
    """Print a listing; one without entries is a header, or ``[]``.

    Args:
        entries: The entries, as JSON has them.
        titles: The titles of the columns.
        rows: The cells of each entry.
        empty: The remark on standard error about a table without entries.
        json: Whether JSON was asked for.
    """
    if json:
        print_json(entries)
        return
    shown = [[visible(cell) for cell in row] for row in rows]
    if is_terminal(STDOUT):
        print_text(format_table(titles, shown, width=columns(STDOUT), colour=wants_colour(STDOUT)))
    else:
        print_text("\n".join("\t".join(cell.replace("\t", " ") for cell in row) for row in [titles, *shown]))
    if not entries:
        say(empty)


def print_sentences(*sentences: str) -> None:
    """Print sentences for a person, each on a line of its own; on a terminal they are wrapped at words."""
    text = "\n".join(map(visible, sentences))
    print_text(wrap_lines(text, columns(STDOUT)) if is_terminal(STDOUT) else text)


def print_text(text: str) -> None:
    """Print text; a character that the terminal's encoding lacks becomes a question mark."""
    typer.echo(text.encode(find_encoding(), errors="replace"))


def find_encoding() -> str:
    """Return the encoding of standard output; UTF-8 where it is closed."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


class _Cell:
    """A cell of a table, folded at words; a word that is too long is cut between its parts.

    Args:
        text: What stands in the cell.
        least: Columns below which the table doesn't make the cell by itself.
    """

    def __init__(self, text: str, least: int) -> None:
        self._text = text
        self._least = least

    def __rich_measure__(self, _console: "Console", _options: "ConsoleOptions") -> "Measurement":
        """Return how narrow and how wide the cell may be."""
        from rich.cells import cell_len
        from rich.measure import Measurement

        whole = cell_len(self._text)
        return Measurement(min(self._least, whole), whole)

    def __rich_console__(self, _console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """Yield the lines of the cell."""
        from rich.text import Text

        yield Text(wrap_lines(self._text, options.max_width), no_wrap=False, overflow="fold")


def format_table(titles: Row, rows: Sequence[Row], *, width: int, colour: bool) -> str:
    """Return a table for a terminal, without the last line's end.

    Long cells fold within their columns. Where the columns would have to break words, each row is a record instead: a
    line for each cell, behind its title.

    Args:
        titles: The titles of the columns.
        rows: The cells, without controls.
        width: Columns of the terminal.
        colour: Whether titles are highlighted.
    """
    spaced = [[_TIME.sub(r"\1 \2", cell) for cell in row] for row in rows]
    wholes, parts = _measure([titles, *spaced])
    room = width - _GAP * (len(titles) - 1)
    if sum(parts) > room:
        parts = [min(part, _LEAST) for part in parts]
    if sum(parts) > room:
        return _render(_make_records(titles, spaced or [[""] * len(titles)]), width, colour=colour)
    table = _make_grid()
    for title, whole, part in zip(titles, wholes, parts, strict=True):
        table.add_column(title, overflow="fold", no_wrap=whole == part)
    for row in spaced:
        table.add_row(*map(_Cell, row, parts))
    return _render(table, width, colour=colour)


def _measure(rows: Sequence[Row]) -> tuple[list[int], list[int]]:
    """Return how wide each column is, and its longest word, in cells of the terminal."""
    from rich.cells import cell_len

    by_column = list(zip(*rows, strict=True))
    wholes = [max(map(cell_len, column)) for column in by_column]
    words = [max(cell_len(word) for cell in column for word in cell.split() or [""]) for column in by_column]
    return wholes, words


def _make_grid(*, show_header: bool = True) -> "Table":
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", show_header=show_header)


def _make_records(titles: Row, rows: Sequence[Row]) -> "Table":
    table = _make_grid(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        if table.rows:
            table.add_row()
        for title, cell in zip(titles, row, strict=True):
            table.add_row(title, _Cell(cell, _LEAST))
    return table


def _render(table: "Table", width: int, *, colour: bool) -> str:
    """Return what Rich makes of a table, whatever the environment says about terminals and colours."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=width,
        height=len(table.rows) + 1,  # without it Rich takes the size of the terminal
        color_system="standard" if colour else None,
        no_color=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
