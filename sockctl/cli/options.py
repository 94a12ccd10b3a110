"""The options that several commands share, each declared once."""

import copy
import dataclasses
import functools
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sockctl.cli.completion import complete_login_users
from sockctl.durations import format_duration, parse_duration
from sockctl.events.explain import Explain

MAX_SECONDS = 31_536_000.0
"""A year: a longer time is a slip of the hand."""


class Seconds(float):
    """A time in seconds as a default; a help shows it as people write it."""

    def __str__(self) -> str:
        return format_duration(self)


def declare_time(help_text: str, *names: str, at_least: float, panel: str | None = None) -> Any:
    """Declare an option that takes a time, such as 5, 5s, 500ms, 10m or 1h; from `at_least` seconds to a year.

    Without `names`, the option has the name of its parameter. The help shows it in the group `panel`.
    """

    def parse(value: str | float) -> float:
        try:
            given = parse_duration(value) if isinstance(value, str) else value
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        if not at_least <= given <= MAX_SECONDS:
            limits = f"{format_duration(at_least)} to {format_duration(MAX_SECONDS)}"
            raise typer.BadParameter(f"{value} is not in the range: give a time from {limits}.")
        return given

    return typer.Option(*names, help=help_text, parser=parse, metavar="TIME", rich_help_panel=panel)


def refuse_nan(value: float | None) -> float | None:
    """Return `value`; refuse "nan", which lies in every range."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number.")
    return value


ExplainOption = Annotated[
    Explain | None,
    typer.Option(
        "--explain",
        help="Explain events always, the first three of a kind, or never. [default: first on a terminal, else always]",
        show_default=False,
        rich_help_panel="Events",
    ),
]
NoInput = Annotated[
    bool,
    typer.Option(
        "--no-input",
        help="Never ask; take defaults or fail.",
        envvar="SOCKCTL_NO_INPUT",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", show_default=False)]
TargetPort = Annotated[
    str | None, typer.Argument(metavar="[PORT]", help="The port, where it isn't in HOST:PORT.", show_default=False)
]
"""The argument behind a target: it lets a user write ``HOST PORT`` for ``HOST:PORT``."""
DEFAULT_MIN_LENGTH = 12
MinLength = Annotated[
    int,
    typer.Option(
        help="Characters that a new password must have.", min=8, max=256, metavar="N", rich_help_panel="Accounts"
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for what is kept. [default: SOCKCTL_DATA_DIR, else ~/.local/share/sockctl]",
        envvar="SOCKCTL_DATA_DIR",
        metavar="PATH",
        show_default=False,
    ),
]
User = Annotated[
    str | None,
    typer.Option(
        "--user",
        help="The user who is meant, where logins of several are kept.",
        envvar="SOCKCTL_USER",
        metavar="NAME",
        show_default=False,
        autocompletion=complete_login_users,
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for trusted servers and logins. [default: SOCKCTL_STATE_DIR, else ~/.local/state/sockctl]",
        envvar="SOCKCTL_STATE_DIR",
        metavar="PATH",
        show_default=False,
    ),
]


def with_option_group(
    command: Callable[..., None], name: str, group: type[Any], *, variables: str = ""
) -> Callable[..., None]:
    """Give a command a group of options, which several commands share.

    Args:
        command: The command.
        name: The command's parameter that receives the group as one value; the options stand in its place.
        group: A dataclass, whose fields declare the options. A field may be such a group itself.
        variables: The prefix of environment variables that set the options for all commands of the group; empty if each
            command has its own variables.
    """
    parameters: list[inspect.Parameter] = []
    for own in inspect.signature(command).parameters.values():
        if own.name != name:
            parameters.append(own)
        elif variables:
            parameters += [_set_variable(each, f"{variables}_{each.name}".upper()) for each in _list_parameters(group)]
        else:
            parameters += _list_parameters(group)

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        value = _make_group(group, values)
        command(**values, **{name: value})

    as_typer_sees_it: Any = with_options
    as_typer_sees_it.__signature__ = inspect.Signature(parameters)
    as_typer_sees_it.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def _list_parameters(group: type[Any]) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters: list[inspect.Parameter] = []
    for each in dataclasses.fields(group):
        if inner := _find_group(each):
            parameters += _list_parameters(inner)
        else:
            parameters.append(inspect.Parameter(each.name, kind, default=each.default, annotation=each.type))
    return parameters


def _set_variable(parameter: inspect.Parameter, variable: str) -> inspect.Parameter:
    kind, declared = parameter.annotation.__origin__, copy.copy(parameter.annotation.__metadata__[0])
    declared.envvar = declared.envvar or variable
    return parameter.replace(annotation=Annotated[kind, declared])


def _make_group(group: type[Any], values: dict[str, Any]) -> Any:
    """Return a group of options; remove their values from `values`."""
    given: dict[str, Any] = {}
    for each in dataclasses.fields(group):
        inner = _find_group(each)
        given[each.name] = _make_group(inner, values) if inner else values.pop(each.name)
    return group(**given)


def _find_group(field: "dataclasses.Field[Any]") -> type[Any] | None:
    return field.type if isinstance(field.type, type) and dataclasses.is_dataclass(field.type) else None
