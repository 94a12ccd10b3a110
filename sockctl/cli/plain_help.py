"""Formats help as plain text, for a pipe and for a terminal without colours.

Lines break at spaces only, so that each word and option stays whole. Lines of a paragraph that begin with a space are
examples: each stays a line of its own.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from typer.core import TyperGroup

MAX_TERM = 26
"""Columns at most for an option or a command beside its sentence; a longer one stands on a line of its own."""
MIN_TEXT = 30
"""The least columns for a sentence beside its option; in fewer, it stands below the option."""

_TWO_BRACKETS = re.compile(r"(\[default: [^\[\]]*)\]\s+\[(?=[^\[\]]*\]$)")
"""What divides a default that the sentence words itself from Typer's range of values."""


def format_help(command: Any, ctx: Any, paragraphs: Iterable[str], *, width: int) -> str:
    """Return the help of a command; a line is longer than `width` only if a word is.

    Args:
        command: The command, as Typer made it.
        ctx: Its context.
        paragraphs: The paragraphs below the lists: examples, exit codes and the like.
        width: Columns of the terminal.
    """
    blocks = [format_usage(command, ctx, width)]
    blocks += [wrap_paragraph(each, width) for each in split_paragraphs(command.help or "")]
    groups = list_groups(command, ctx)
    term = find_term_width(groups)
    for title, rows in groups.items():
        blocks.append("\n".join([f"{title}:", *format_rows(rows, term, width)]))
    blocks += [wrap_paragraph(each, width) for each in paragraphs]
    return "\n\n".join(blocks)


def format_usage(command: Any, ctx: Any, width: int) -> str:
    """Return the usage line of a command."""
    return fill(f"Usage: {' '.join([ctx.command_path, *command.collect_usage_pieces(ctx)])}", width, later=" " * 7)


def split_paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text."""
    return re.split(r"\n\s*\n", text.strip()) if text.strip() else []


def list_parameters(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Return the arguments and the options of a command with their sentences, under the title of each group."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        if record := parameter.get_help_record(ctx):
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            row = (record[0], _TWO_BRACKETS.sub(r"\1; ", record[1]))
            groups.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(row)
    return groups


def list_groups(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Return all lists of the help, under the title of each group: those of `list_parameters`, and the commands."""
    groups = list_parameters(command, ctx)
    if isinstance(command, TyperGroup):
        commands: dict[str, Any] = dict(command.commands)
        for name, each in commands.items():
            if not each.hidden:
                groups.setdefault(each.rich_help_panel or "Commands", []).append((name, each.get_short_help_str(1000)))
    return groups


def wrap_paragraph(text: str, width: int) -> str:
    """Return a paragraph with its lines filled; each of its examples begins a line."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") or not lines:
            lines.append(line.rstrip())
        else:
            lines[-1] += f" {line.strip()}"
    return "\n".join(fill(line, width, later="    " if line.startswith(" ") else "") for line in lines)


def find_term_width(groups: dict[str, list[tuple[str, str]]]) -> int:
    """Return the columns for the names of all groups; names above `MAX_TERM` don't count."""
    names = [name for rows in groups.values() for name, _ in rows]
    return max((len(name) for name in names if len(name) <= MAX_TERM), default=MAX_TERM)


def format_rows(rows: Sequence[tuple[str, str]], term: int, width: int, *, margin: str = "  ") -> Iterator[str]:
    """Yield the lines of a list: `margin`, each name in `term` columns, and its sentence beside it or below it."""
    beside = width - term - 4 >= MIN_TEXT
    indent = margin + " " * (term + 2 if beside else 4)
    for name, sentence in rows:
        text = " ".join(sentence.split())
        if beside and len(name) <= term:
            yield from fill(text, width, first=f"{margin}{name:<{term}}  ", later=indent).splitlines()
            continue
        yield from fill(name, width, first=margin, later=f"{margin}  ").splitlines()
        yield from fill(text, width, first=indent, later=indent).splitlines()


def fill(text: str, width: int, *, first: str = "", later: str = "") -> str:
    """Return a text in lines that break at spaces; `first` begins the first line, `later` each other one."""
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
