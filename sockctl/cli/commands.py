"""The traits that all commands of sockctl share: the form of their help, ``-V``, suggestions for a mistyped word."""

import contextlib
import functools
import importlib
import os
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from sockctl import __version__
from sockctl.cli.color import add_color_option
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.terminal import STDERR, STDOUT, ColourChoice, choose_colour, is_terminal, measure_columns, wants_colour

SYNONYMS = {
    "rm": ("remove", "forget"),
    "del": ("remove", "forget"),
    "delete": ("remove", "forget"),
    "ls": ("list",),
    "new": ("add",),
    "create": ("add",),
    "mv": ("rename",),
    "password": ("passwd",),
    "client": ("connect",),
    "server": ("serve",),
    "echo": ("serve echo", "bench echo"),
    "chat": ("serve chat",),
    "exec": ("serve exec",),
    "nc": ("connect", "listen"),
    "man": ("help",),
    "version": ("--version",),
}
"""The commands and options that a user may mean by another word."""
MAX_PLAIN_NUMBER = 99_999
"""A larger number is written with commas between its thousands."""
_ARGUMENTS = "sockctl.arguments"
"""Where a context keeps the arguments of its command."""
_KEPT = {
    "serve identify": "clients.db in the data directory",
    "serve auth": "users.json, sessions.db and settings.json in the data directory",
    "serve chat": "chat.json, chat-history.jsonl and, with --auth, users.json and sessions.db in the data directory",
    "connect": "known_hosts.json and tokens.json in the state directory",
    "listen": "with --tls, a certificate of its own in the data directory",
    "logout": "tokens.json in the state directory",
    "logins": "tokens.json in the state directory",
    "hosts": "known_hosts.json in the state directory",
    "clients": "clients.db in the data directory",
    "users": "users.json and sessions.db in the data directory",
    "sessions": "sessions.db in the data directory",
}
"""The files that a command reads or writes, by its name; a group's name stands for all its commands."""


class Context(typer.Context):
    """A context whose usage lines are as wide as the terminal."""

    def make_formatter(self) -> Any:
        """Return a formatter for the usage line of an error."""
        return self.formatter_class(width=measure_columns(STDERR))


class _Common:
    """The traits of commands and groups alike; this class stands before Typer's class."""

    context_class: Any = Context

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        _complete_parameters(self)

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option for the help, which no environment variable sets."""
        option = super().get_help_option(ctx)  # type: ignore[misc]  # Typer's class has it
        if option is not None:
            option.allow_from_autoenv = False
        return option

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line: Typer's braces around an argument that must be given are left out."""
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]  # as above
        return [piece.removeprefix("{").removesuffix("}") for piece in pieces]

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments; keep them for the help."""
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)  # type: ignore[misc]  # as above

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help: in panels on a terminal, else as plain text."""
        _write_help(self, ctx, formatter)


class Command(_Common, TyperCommand):
    """A command of sockctl."""


class Group(_Common, TyperGroup):
    """A group of commands of sockctl."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called; suggest one for a word that is none."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-") and not ctx.resilient_parsing:
            names = [name for name, command in self.commands.items() if not command.hidden]
            known = {*names, *(option for parameter in self.params for option in parameter.opts)}
            meant = [each for each in SYNONYMS.get(args[0], ()) if each.split()[0] in known]
            ctx.fail(f"There is no command {args[0]!r}.{suggest(args[0], names, meant)}")
        return super().resolve_command(ctx, args)


def declare_group(summary: str, epilog: str) -> typer.Typer:
    """Return the declaration of a group of commands.

    Args:
        summary: What the group is for.
        epilog: The paragraphs at the end of its help, such as examples.
    """
    return typer.Typer(
        cls=Group, add_completion=False, rich_markup_mode=None, no_args_is_help=True, help=summary, epilog=epilog
    )


def declare_command() -> typer.Typer:
    """Return the declaration of a command that belongs to no group."""
    return typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None)


def make_command(own: typer.Typer) -> Any:
    """Return the command that `own` declares, with the traits of all commands."""
    for each in own.registered_commands:
        if each.cls is TyperCommand:
            each.cls = Command
    return typer.main.get_command(own)


def load_command(name: str) -> Any:
    """Return a command of ``sockctl`` from the module of its name, with the option ``--color``."""
    command = make_command(importlib.import_module(f"sockctl.cli.{name}").app)
    command.name = name
    add_color_option(command)
    return command


def suggest(word: str, known: list[str], meant: list[str] | None = None, *, otherwise: str = "") -> str:
    """Return a sentence that suggests what a mistyped word may be; it follows the sentence that refuses the word.

    Args:
        word: The word.
        known: The words that there are.
        meant: Those that it certainly means.
        otherwise: The sentence where no word is near.
    """
    import difflib

    lower = word.lower()
    near = meant or ([lower] if lower in known else difflib.get_close_matches(lower, known, n=2))
    sentence = f"Did you mean {' or '.join(near)}?" if near else otherwise
    return f" {sentence}" if sentence else ""


def obey_color(ctx: Any) -> None:
    """Obey ``--color`` wherever it stands: a help, or an error, ends the command before all options are read."""
    parser = ctx.command.make_parser(ctx)
    parser.ignore_unknown_options = True
    with contextlib.suppress(typer.TyperException):  # an option without its value
        given, _, _ = parser.parse_args(list(ctx.meta[_ARGUMENTS]))
        if given.get("color") in list(ColourChoice):
            choose_colour(ColourChoice(given["color"]))


def list_options(command: Any) -> list[Any]:
    """Return the options of a command that the environment and the configuration file may set."""
    return [
        option
        for option in command.params
        if option.param_type_name == "option" and (option.allow_from_autoenv or option.envvar)
    ]


def find_name(option: Any) -> str:
    """Return the long name of an option."""
    return str(next((each for each in option.opts if each.startswith("--")), option.opts[0]))


def find_variable(option: Any, ctx: Any) -> str:
    """Return the name of the environment variable that sets an option."""
    return str(option.envvar or f"{ctx.auto_envvar_prefix}_{option.name.upper()}")


def word_problem(message: str) -> str:
    """Return what Typer says of a wrong value, as a sentence in plain words."""
    for typed, said in (("int range", "whole number"), ("float range", "number"), ("int", "whole number")):
        message = message.replace(f"is not a valid {typed}.", f"is not a {said}.")
    return message if message.endswith((".", "?")) else f"{message}."


def list_notes(command: Any, ctx: Any) -> list[str]:
    """Return the paragraphs at the end of a help: examples, exit codes, environment and files."""
    from sockctl.cli.plain_help import split_paragraphs

    notes = split_paragraphs(command.epilog or "")
    if isinstance(command, TyperGroup):
        return notes
    if not any("Exit codes:" in text for text in (command.help or "", *notes)):
        notes.append(explain_exit_codes(ExitCode.FAILED, ExitCode.INTERRUPTED))
    if settable := list_options(command):
        variables = {bool(option.envvar): option for option in reversed(settable)}.values()
        examples = " and ".join(f"{find_variable(option, ctx)} sets {find_name(option)}" for option in variables)
        notes.append(
            f"Environment: a variable for each option; {examples}. config.toml sets them, too: sockctl config."
        )
    words = str(ctx.command_path).split()[1:]
    if kept := _KEPT.get(" ".join(words)) or _KEPT.get(words[0] if words else ""):
        notes.append(f"Files: {kept}.")
    return notes


def format_range(lowest: float | None, highest: float | None) -> str:
    """Return a range as people write it: two numbers with an en dash between them, or ``1,000,000 at most``."""
    if lowest is None:
        return f"{_format_number(highest or 0)} at most"
    if highest is None:
        return f"{_format_number(lowest)} at least"
    return f"{_format_number(lowest)}\N{EN DASH}{_format_number(highest)}"


def print_version(wanted: bool) -> None:
    """Print the version and exit, if that is wanted."""
    if wanted:
        typer.echo(f"sockctl {__version__}")
        raise typer.Exit


def _format_number(number: float) -> str:
    return f"{number:,.0f}" if number > MAX_PLAIN_NUMBER else f"{number:g}"


def _complete_parameters(command: Any) -> None:
    """Give a command ``-V``, and let the ranges of its parameters read as people write them."""
    for parameter in command.params:
        parameter.show_envvar = False  # the notes at the end of the help tell it once
        kind = parameter.type
        if hasattr(kind, "_describe_range"):  # Typer's types of numbers leave no other way to word a range
            kind._describe_range = functools.partial(format_range, kind.min, kind.max)
    if not any("-V" in parameter.opts for parameter in command.params):
        command.params.append(
            TyperOption(
                param_decls=["-V", "--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                allow_from_autoenv=False,
                hidden=True,
                callback=lambda _ctx, _parameter, wanted: print_version(wanted),
            )
        )


def _write_help(command: Any, ctx: Any, formatter: Any) -> None:
    obey_color(ctx)
    notes = list_notes(command, ctx)
    if os.environ.get("TERM") != "dumb" and (is_terminal(STDOUT) or wants_colour(STDOUT)):
        from sockctl.cli.rich_help import format_panels

        ctx.color = wants_colour(STDOUT)
        formatter.write(format_panels(command, ctx, notes, width=measure_columns(STDOUT), colour=ctx.color))
    else:
        from sockctl.cli.plain_help import format_help

        formatter.write(format_help(command, ctx, notes, width=measure_columns(STDOUT)))
