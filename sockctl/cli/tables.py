"""How commands print what is kept: as a table for people, as JSON for programs."""

from collections.abc import Sequence

import typer

__all__ = ["print_json", "print_table"]


def print_json(value: object) -> None:
    """Print a value as JSON."""
    from json import dumps

    typer.echo(dumps(value, indent=2, ensure_ascii=False))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells, of which the first has the columns' names, with each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
