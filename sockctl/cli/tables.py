"""Prints the content of stores: as tables and sentences for people, as JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer


def print_result(fields: object, sentence: str, *, json: bool) -> None:
    """Print what a command has done: a sentence, or the JSON of `fields`."""
    if json:
        from json import dumps

        typer.echo(dumps(fields, indent=2, ensure_ascii=False))
    else:
        typer.echo(sentence)


def print_list(
    entries: Sequence[Mapping[str, Any]],
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    empty: str,
    json: bool,
) -> None:
    """Print a list: as a table with titles, as the sentence `empty` where there are no entries, or as JSON."""
    print_result(entries, _make_table([titles, *rows]) if entries else empty, json=json)


def _make_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)
