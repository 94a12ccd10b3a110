"""Help in panels: the colours of what stands in them. The golden files hold whole screens."""

import re
from typing import Any

import pytest
import typer
from typer.main import get_command

from sockctl.cli.rich_help import format_panels

OPTION = "--max-clients-per-address-and-network"


def show(width: int = 80, *, colour: bool, notes: tuple[str, ...] = ()) -> str:
    app = typer.Typer(add_completion=False)

    @app.command()
    def visit(limit: int = typer.Option(5, OPTION, metavar="N", help="A limit.")) -> None:
        """Visit it."""

    command: Any = get_command(app)
    return format_panels(command, typer.Context(command, info_name="visit"), notes, width=width, colour=colour)


@pytest.mark.parametrize("width", [44, 80])
def test_a_long_option_is_never_cut(width: int) -> None:
    assert OPTION in show(width, colour=False)


def test_no_colour_leaves_no_codes() -> None:
    assert "\x1b" not in show(colour=False, notes=("Examples:\n  sockctl visit",))


def test_options_values_defaults_and_titles_are_told_apart() -> None:
    page = show(colour=True, notes=("Examples:\n  sockctl visit --limit 7",))
    styles = {text: code for code, text in re.findall(r"\x1b\[([\d;]+)m([^\x1b]+)\x1b\[0m", page)}
    assert styles[OPTION] == "36"
    assert styles["N"] == "33"
    assert styles["[default: 5]"] == "2"
    assert styles["Examples"] == styles["Usage"] == "1"
