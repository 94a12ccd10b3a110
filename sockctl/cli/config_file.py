"""The configuration file: ``config.toml``, with a table for each command, whose keys are its options.

A command checks its own table, and that each other table is named after a command.
"""

import re
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from sockctl.cli.commands import find_name, list_options, suggest, word_problem
from sockctl.errors import ConfigError
from sockctl.paths import find_config_file

_SECRET = re.compile(r"password|passwd|token|secret")
_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")
_KEY = re.compile(r"\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*=")


class ConfigFile:
    """A configuration file that was read.

    Args:
        path: Where it is.

    Raises:
        ConfigError: It can't be read, or is no TOML.
    """

    def __init__(self, path: Path) -> None:
        import tomllib

        self.path = path
        try:
            self._text = path.read_text(encoding="utf-8")
            self.tables: dict[str, Any] = tomllib.loads(self._text)
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from error
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"at line ([0-9]+)", str(error))
            raise ConfigError(f"{path}:{line[1] if line else 1}: The file is no TOML: {error}.") from error

    def check_names(self, known: list[str]) -> None:
        """Check that each table is named after one of the `known` commands.

        Raises:
            ConfigError: One is not.
        """
        for name, table in self.tables.items():
            if not isinstance(table, dict):
                raise self._make_error(
                    (), name, f"{name} stands in no table: write [connect] or [serve.echo] above it."
                )
            if name not in known:
                hint = suggest(name, known, otherwise="'sockctl --help' lists the commands.")
                raise self._make_error((name,), "", f"[{name}] is no command.{hint}")

    def read_defaults(self, path: tuple[str, ...], command: Any) -> dict[str, Any]:
        """Return the table of a command as Click's default_map wants it: by the names of parameters.

        Raises:
            ConfigError: A key is no option of the command, or its value is of another type.
        """
        table: Any = self.tables
        for name in path:
            table = table.get(name, {})
        commands: dict[str, Any] = dict(command.commands) if isinstance(command, TyperGroup) else {}
        defaults: dict[str, Any] = {}
        for key, value in table.items():
            if isinstance(value, dict):
                if key not in commands:
                    hint = suggest(key, list(commands), otherwise=f"'sockctl {path[0]} --help' lists what there is.")
                    raise self._make_error((*path, key), "", f"[{'.'.join((*path, key))}] is no command.{hint}")
                defaults[key] = self.read_defaults((*path, key), commands[key])
                continue
            parameter = self._find_option(path, key, command)
            if problem := _find_problem(parameter, value):
                raise self._make_error(path, key, problem)
            defaults[str(parameter.name)] = value if isinstance(value, bool | list) else str(value)
        return defaults

    def find_line(self, path: tuple[str, ...], key: str) -> int:
        """Return the line in which a key of a table stands; that of the table's title where `key` is empty."""
        table, wanted = "", ".".join(path)
        for number, line in enumerate(self._text.splitlines(), 1):
            if header := _HEADER.match(line):
                table = ".".join(part.strip().strip("\"'") for part in header[1].split("."))
                if not key and (table == wanted or table.startswith(f"{wanted}.")):
                    return number
            elif table == wanted and (found := _KEY.match(line)) and _format_option(found[1]) == _format_option(key):
                return number
        return 1

    def _find_option(self, path: tuple[str, ...], key: str, owner: Any) -> Any:
        options = {each: parameter for parameter in list_options(owner) for each in parameter.opts}
        if parameter := options.get(_format_option(key)):
            return parameter
        if _SECRET.search(key):
            raise self._make_error(
                path, key, f"{key} would be a secret, and no secret may stand in this file: remove it."
            )
        command = f"sockctl {' '.join(path)}"
        hint = suggest(_format_option(key), list(options), otherwise=f"'{command} --help' lists the options.")
        raise self._make_error(path, key, f"{key} is no option of '{command}'.{hint}")

    def _make_error(self, path: tuple[str, ...], key: str, problem: str) -> ConfigError:
        return ConfigError(f"{self.path}:{self.find_line(path, key)}: {problem}")


def open_config() -> ConfigFile | None:
    """Return the user's configuration file; None where there is none.

    Raises:
        ConfigError: It can't be used.
    """
    path = find_config_file()
    try:
        is_there, is_misplaced = path.exists(), path.parent.is_file()
    except OSError as error:
        raise ConfigError(
            f"{path} can't be looked for: {error.strerror}. Set HOME to a folder of your own, or SOCKCTL_CONFIG."
        ) from error
    if is_misplaced:
        raise ConfigError(f"{path.parent} is a file: SOCKCTL_CONFIG names the folder in which {path.name} is.")
    return ConfigFile(path) if is_there else None


def _format_option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _find_problem(parameter: Any, value: object) -> str:
    """Return what is wrong with a value; nothing where it will do."""
    name = find_name(parameter)
    if parameter.is_flag and not isinstance(value, bool):
        return f"{name} is on or off: write true or false."
    if not parameter.is_flag and isinstance(value, bool):
        return f"{name} takes a value, not true or false."
    if parameter.multiple and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        return f'{name} takes a list: write ["…", "…"].'
    if not isinstance(value, bool | int | float | str) and not parameter.multiple:
        return f"{name} takes one value: write a number, or a text in quotes."
    if not parameter.is_flag and not parameter.multiple:
        try:
            parameter.type.convert(str(value), parameter, None)
        except typer.BadParameter as error:
            return f"{name}: {word_problem(error.message)}"
    return ""
