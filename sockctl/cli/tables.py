"""Prints the content of stores: as a table for people, as JSON for programs."""

from collections.abc import Sequence

import typer

__all__ = ["print_json", "print_table"]


def print_json(value: object) -> None:
    """Print a value as JSON."""
    from json import dumps

    typer.echo(dumps(value, indent=2, ensure_ascii=False))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells, each column as wide as its widest cell; the first row holds the names of the columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
