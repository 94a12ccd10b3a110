"""Help in Rich's panels, for a terminal.

Typer's own panels cut long options at 80 columns. So the lines in a panel are those of the plain help.
"""

import io
from collections.abc import Iterable
from typing import Any, ClassVar

from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.panel import Panel
from rich.text import Text
from rich.theme import Theme

from sockctl.cli.plain_help import (
    find_term_width,
    format_rows,
    format_usage,
    list_groups,
    split_paragraphs,
    wrap_paragraph,
)

_STYLES = {
    "help.option": "cyan",
    "help.command": "bold cyan",
    "help.default": "dim",
    "help.title": "bold",
    "help.metavar": "yellow",
}
_BORDERS = 4
"""Columns of a panel's borders and the spaces beside them."""


class _Highlighter(RegexHighlighter):
    """Colours options, defaults and titles."""

    base_style = "help."
    highlights: ClassVar[Any] = (
        r"(?<![\w-])(?P<option>--?[A-Za-z][\w-]*)",
        r"(?P<default>\[[^\[\]]*\]$)",
        r"^(?P<title>Usage|Examples?|Exit codes|Environment|Files):",
    )


class _ListHighlighter(_Highlighter):
    """Colours lists, too: a command at the beginning of a line, and the values of options."""

    highlights: ClassVar[Any] = (
        *_Highlighter.highlights,
        r"^(?P<command>[a-z][a-z-]*)(?=  |$)",
        r"^-.*?(?<= )(?P<metavar>[A-Z][A-Z0-9_/|:]*|<[^>]*>)(?=  |$)",
    )


def format_panels(command: Any, ctx: Any, notes: Iterable[str], *, width: int, colour: bool) -> str:
    """Return the help of a command, with a panel for each group of options or commands.

    Args:
        command: The command, as Typer made it.
        ctx: Its context.
        notes: The paragraphs below the panels.
        width: Columns of the terminal.
        colour: Whether to colour it.
    """
    output = io.StringIO()
    console = Console(
        file=output,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        theme=Theme(_STYLES),
        highlight=False,
    )
    show, listed = _Highlighter(), _ListHighlighter()
    paragraphs = [wrap_paragraph(each, width) for each in split_paragraphs(command.help or "")]
    for text in (format_usage(command, ctx, width), *paragraphs):
        console.print(show(Text(text)), no_wrap=True, overflow="ignore", crop=False)
        console.print()
    groups = list_groups(command, ctx)
    term = find_term_width(groups)
    for title, rows in groups.items():
        lines = Text("\n", no_wrap=True, overflow="ignore").join(
            listed(Text(line)) for line in format_rows(rows, term, width - _BORDERS, margin="")
        )
        console.print(Panel(lines, title=title, title_align="left", border_style="dim" if colour else ""))
    for each in notes:
        console.print()
        console.print(show(Text(wrap_paragraph(each, width))), no_wrap=True, overflow="ignore", crop=False)
    return output.getvalue()
