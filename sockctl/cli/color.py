"""The option ``--color`` of every command."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sockctl.terminal import ColourChoice, choose_colour

Color = Annotated[
    ColourChoice,
    typer.Option(
        help="When to colour the output; auto colours a terminal, unless NO_COLOR or TERM=dumb is set.",
        callback=choose_colour,
        expose_value=False,
        is_eager=True,
        show_envvar=False,  # the end of the help tells of the variables once
    ),
]

app = typer.Typer(add_completion=False)


@app.command()
def _declare(*, color: Color = ColourChoice.AUTO) -> None:
    """Declare the option."""


def add_color_option(command: Any) -> None:
    """Give a command, and each command of a group, the option ``--color``, which takes effect before most others."""
    _add(command, next(each for each in typer.main.get_command(app).params if each.name == "color"))


def _add(command: Any, option: Any) -> None:
    command.params.append(option)
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            _add(inner, option)
