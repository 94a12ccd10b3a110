"""Man pages, made from the same declarations as ``--help``: one for each command, in the language of man(7)."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import typer

from sockctl.cli.commands import list_notes, load_command
from sockctl.cli.plain_help import list_parameters, split_paragraphs

_SECTIONS = {"Example": "EXAMPLES", "Exit codes": "EXIT STATUS", "Environment": "ENVIRONMENT", "Files": "FILES"}
"""The sections of paragraphs of the help, by the first word of the paragraph."""
_NOTE = re.compile(r"(Example|Exit codes|Environment|Files)s?(?:, ([^:\n]+))?:\s*?(\n.*|[^\n].*)", re.DOTALL)
"""Matches such a paragraph: its first word, a remark (``in two terminals``), and its text."""
_SPECIAL = str.maketrans(
    {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", "\N{EN DASH}": r"\(en"}
)
"""Escapes of characters that man pages would print as typographic ones, which spoil a copied command."""

LINE_COLUMNS = 78
"""Characters of a line of the source."""


def make_man_pages() -> dict[str, str]:
    """Return the text of each man page by the name of its file, as ``sockctl-serve-echo.1``."""
    from sockctl.cli.app import make_root

    command = make_root()
    root = typer.Context(command, info_name="sockctl", **command.context_settings)
    return {f"{_make_page_name(each)}.1": _make_page(each) for each in _walk(root)}


def _walk(context: Any) -> Iterator[Any]:
    """Yield the context of a command, then those of all commands below it."""
    yield context
    for child in _list_children(context):
        yield from _walk(child)


def _list_children(context: Any) -> Iterator[Any]:
    """Yield the contexts of the commands in a group."""
    from sockctl.cli.app import COMMANDS

    for name, listed in getattr(context.command, "commands", {}).items():
        if listed.hidden:
            continue
        command = listed
        if context.parent is None and name in COMMANDS:  # what stands in the list is loaded when it is called
            command = load_command(name)
        yield typer.Context(command, info_name=name, parent=context)


def _make_page_name(context: Any) -> str:
    return str(context.command_path).replace(" ", "-")


def _make_page(context: Any) -> str:
    command = context.command
    name = _make_page_name(context)
    summary, *rest = split_paragraphs(command.help or "")
    sections: dict[str, list[str]] = {"DESCRIPTION": []}
    for paragraph in [*rest, *list_notes(command, context)]:
        title, text = _find_section(paragraph)
        sections.setdefault(title, []).extend(text)
    usage = " ".join([str(context.command_path), *command.collect_usage_pieces(context)])
    lines = [
        f'.TH {_quote(name.upper())} 1 "" "sockctl" "sockctl"',
        *_make_section("NAME", [_flow(f"{name} - {summary.removesuffix('.')}")]),
        *_make_section("SYNOPSIS", [f".B {_escape(usage)}"]),
        *_make_section("DESCRIPTION", _format_paragraphs(sections.pop("DESCRIPTION") or [summary])),
        *_list_parameters(context),
        *_list_commands(context),
    ]
    for title in dict.fromkeys(_SECTIONS.values()):
        if title in sections:
            lines += _make_section(title, _format_paragraphs(sections[title]))
    lines += _make_section("SEE ALSO", [_list_related(context)])
    return "\n".join(lines) + "\n"


def _find_section(paragraph: str) -> tuple[str, list[str]]:
    """Return the section of a paragraph of the help, and its paragraphs there."""
    note = _NOTE.fullmatch(paragraph)
    if note is None:
        return "DESCRIPTION", [paragraph]
    kind, remark, text = note.groups()
    intro = [f"{_capitalize(remark)}:"] if remark else []
    if not text.startswith("\n"):
        text = text.strip() if kind == "Example" else _capitalize(text.strip())
    return _SECTIONS[kind], [*intro, text]


def _capitalize(text: str) -> str:
    """Return a sentence with a capital, unless it begins with a file or another name."""
    return f"{text[0].upper()}{text[1:]}" if text.split(maxsplit=1)[0].isalpha() else text


def _list_parameters(context: Any) -> list[str]:
    """Return the arguments and the options, the latter in the groups of the help."""
    lines: list[str] = []
    for group, rows in list_parameters(context.command, context).items():
        title = "ARGUMENTS" if group == "Arguments" else "OPTIONS"
        if f'.SH "{title}"' not in lines:
            lines.append(f'.SH "{title}"')
        lines += [] if group in {"Arguments", "Options"} else [f".SS {_quote(group)}"]
        for name, sentence in rows:
            lines += [".TP", f".B {_escape(name)}", _flow(sentence)]
    return lines


def _list_commands(context: Any) -> list[str]:
    entries: list[str] = []
    for child in _list_children(context):
        summary = child.command.get_short_help_str(limit=1000)
        entries += [".TP", f".BR {_escape(_make_page_name(child))} (1)", _flow(summary)]
    return _make_section("COMMANDS", entries) if entries else []


def _list_related(context: Any) -> str:
    names = [_make_page_name(context.parent)] if context.parent else []
    pages = ", ".join(f"{_escape(name)}(1)" for name in names)
    return ". ".join(filter(None, [pages, r"sockctl help lists pages about topics."]))


def _make_section(title: str, lines: list[str]) -> list[str]:
    return [f".SH {_quote(title)}", *lines]


def _format_paragraphs(paragraphs: list[str]) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [".PP"] if lines else []
        if paragraph.startswith("\n"):  # each line is an example, and stays as it is
            lines += [".nf", *map(_escape, paragraph.strip("\n").splitlines()), ".fi"]
        else:
            lines.append(_flow(paragraph))
    return lines


def _flow(text: str) -> str:
    """Return a paragraph as lines of the source, escaped; the reader's terminal breaks them anew."""
    words = _escape(" ".join(text.split()))
    lines = textwrap.wrap(words, LINE_COLUMNS, break_long_words=False, break_on_hyphens=False)
    return "\n".join(rf"\&{line}" if line.startswith(".") else line for line in lines)


def _escape(text: str) -> str:
    return text.translate(_SPECIAL)


def _quote(text: str) -> str:
    return f'"{text}"'
