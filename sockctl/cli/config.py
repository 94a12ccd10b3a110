"""``sockctl config …``: which value of an option holds, and where it comes from."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from sockctl.cli import options
from sockctl.cli.commands import declare_group, find_name, find_variable, list_options, load_command
from sockctl.cli.config_file import ConfigFile, open_config
from sockctl.cli.tables import print_list
from sockctl.errors import ConfigError
from sockctl.paths import find_config_file

app = declare_group("See and check the configuration file.", "Example:\n  sockctl config show serve echo")


@app.command(epilog="Example:\n  sockctl config path")
def path() -> None:
    """Print where the configuration file is, or would be."""
    typer.echo(find_config_file())


@app.command(epilog="Example:\n  sockctl config check")
def check() -> None:
    """Check each table of the configuration file. An error names the line."""
    file = open_config()
    if file is None:
        typer.echo(f"There is no {find_config_file()}: each option has its default.")
        return
    _check_all(file)
    typer.echo(f"{file.path} is right.")


@app.command(epilog="Examples:\n  sockctl config show serve echo\n  sockctl config show --json")
def show(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]", help="This command, such as serve echo, with all its options."),
    ] = None,
    *,
    json: options.Json = False,
) -> None:
    """Show which value of each option holds, and where it comes from.

    The command line goes before the environment, the environment before the file, and the file before the default.
    Without a command, the options that the environment or the file sets are shown.
    """
    file = open_config()
    if file is not None:
        _check_all(file)
    wanted = tuple(command or ())
    entries = [
        entry
        for words, each in _list_commands()
        if words[: len(wanted)] == wanted
        for entry in _list_values(words, each, file)
        if wanted or entry["from"] != "default"
    ]
    if wanted and not entries:
        raise ConfigError(f"'sockctl {' '.join(wanted)}' is no command with options: 'sockctl -h' lists the commands.")
    rows = (tuple(entry.values()) for entry in entries)
    empty = "Neither the environment nor the configuration file sets an option."
    print_list(entries, ("COMMAND", "OPTION", "VALUE", "FROM"), rows, empty=empty, json=json)


def _check_all(file: ConfigFile) -> None:
    commands = _load_commands()
    file.check_names(list(commands))
    for name in file.tables:
        file.read_defaults((name,), commands[name])


def _load_commands() -> dict[str, Any]:
    from sockctl.cli.app import COMMANDS

    return {name: load_command(name) for name in COMMANDS}


def _list_commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in _load_commands().items():
        inner: dict[str, Any] = getattr(command, "commands", {})
        if not inner:
            yield (name,), command
        for word, each in inner.items():
            if not each.hidden:
                yield (name, word), each


def _list_values(words: tuple[str, ...], command: Any, file: ConfigFile | None) -> Iterator[dict[str, str]]:
    ctx = typer.Context(command, info_name=words[-1], auto_envvar_prefix="_".join(("SOCKCTL", *words)).upper())
    table = {} if file is None else file.read_defaults(words, command)
    for parameter in list_options(command):
        source, value = "default", parameter.default
        if (given := parameter.resolve_envvar_value(ctx)) is not None:
            source, value = f"environment: {find_variable(parameter, ctx)}", given
        elif file is not None and parameter.name in table:
            line = file.find_line(words, find_name(parameter).removeprefix("--"))
            source, value = f"{file.path}:{line}", table[parameter.name]
        yield {"command": " ".join(words), "option": find_name(parameter), "value": _format(value), "from": source}


def _format(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
