"""Prints listings: for people, for scripts and as JSON.

A listing on a terminal is a table by Rich. In a pipe a row is a line with a tab between its cells, and Rich isn't
loaded. JSON is UTF-8 everywhere.
"""

import io
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from sockctl.terminal import STDOUT, is_terminal, measure_columns, say, wants_colour
from sockctl.text import escape_json, make_visible
from sockctl.wrapping import find_least_width, measure_width, wrap_lines

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Fields = Mapping[str, Any]
Row = Sequence[str]

_GAP = 2
_LEAST = 24
"""Columns of a longer word that stay on one line, before its table gives up columns for records."""
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
    shown = [[make_visible(cell) for cell in row] for row in rows]
    if is_terminal(STDOUT):
        print_text(format_table(titles, shown, width=measure_columns(STDOUT), colour=wants_colour(STDOUT)))
    else:
        print_text("\n".join("\t".join(cell.replace("\t", " ") for cell in row) for row in [titles, *shown]))
    if not entries:
        say(empty)


def print_record(record: Mapping[str, str]) -> None:
    """Print one entry, a line for each of its cells; in a pipe a tab stands behind the title."""
    cells = [make_visible(cell) for cell in record.values()]
    if is_terminal(STDOUT):
        width = measure_columns(STDOUT)
        print_text(_render(_make_records(tuple(record), [cells], width), width, colour=wants_colour(STDOUT)))
    else:
        print_text("\n".join(f"{title}\t{cell}" for title, cell in zip(record, cells, strict=True)))


def print_sentences(*sentences: str) -> None:
    """Print sentences for a person, each on a line of its own; on a terminal they are wrapped at words."""
    text = "\n".join(map(make_visible, sentences))
    print_text(wrap_lines(text, measure_columns(STDOUT)) if is_terminal(STDOUT) else text)


def print_text(text: str) -> None:
    """Print text; a character that the terminal's encoding lacks becomes a question mark."""
    typer.echo(text.encode(find_encoding(), errors="replace"))


def find_encoding() -> str:
    """Return the encoding of standard output; UTF-8 where it is closed."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def format_table(
    titles: Row, rows: Sequence[Row], *, width: int, colour: bool, find_style: Callable[[str], str] | None = None
) -> str:
    """Return a table for a terminal, without the last line's end.

    Long cells fold within their columns. Where the columns would have to break words, each row is a record instead: a
    line for each cell, behind its title.

    Args:
        titles: The titles of the columns.
        rows: The cells, without controls.
        width: Columns of the terminal.
        colour: Whether titles are highlighted.
        find_style: Returns Rich's style for a word of a cell; empty for none.
    """
    spaced = [[_TIME.sub(r"\1 \2", cell) for cell in row] for row in rows]
    widths = fit_columns([titles, *spaced], width)
    if widths is None:
        table = _make_records(titles, spaced or [[""] * len(titles)], width)
    else:
        table = make_grid()
        for title in map(wrap_lines, titles, widths):
            table.add_column(title)
        for row in spaced:
            cells = map(wrap_lines, row, widths)
            table.add_row(*(cells if find_style is None else (_highlight(cell, find_style) for cell in cells)))
    return _render(table, width, colour=colour)


def fit_columns(rows: Sequence[Row], width: int) -> list[int] | None:
    """Return how wide each column is, in cells of the terminal; None where columns would have to cut words.

    The widest columns are folded first. A long word is cut between its parts alone, as `wrap_words` does.

    Args:
        rows: The cells, titles included.
        width: Columns of the terminal.
    """
    by_column = list(zip(*rows, strict=True))
    widths = [max(map(measure_width, column)) for column in by_column]
    words = [[word for cell in column for word in cell.split()] for column in by_column]
    for least in (width, _LEAST):
        leasts = [max((find_least_width(word, least) for word in each), default=0) for each in words]
        if sum(leasts) + _GAP * (len(leasts) - 1) <= width:
            break
    else:
        return None
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        widest = max((at for at in range(len(widths)) if widths[at] > leasts[at]), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def make_grid(*, show_header: bool = True) -> "Table":
    """Return a table by Rich, without lines and without columns yet."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", show_header=show_header)


def _highlight(cell: str, find_style: Callable[[str], str]) -> "Text":
    """Return a cell with its words in their styles."""
    from rich.text import Text

    text = Text(cell)
    for word in re.finditer(r"\S+", cell):
        text.stylize(find_style(word[0]), *word.span())
    return text


def _make_records(titles: Row, rows: Sequence[Row], width: int) -> "Table":
    table = make_grid(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    room = max(1, width - _GAP - max(map(measure_width, titles)))
    for row in rows:
        if table.rows:
            table.add_row()
        for title, cell in zip(titles, row, strict=True):
            table.add_row(title, wrap_lines(cell, room))
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
