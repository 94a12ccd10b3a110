"""Options that several commands share, as one value."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from sockctl.cli.options import refuse_nan, with_option_group


@dataclass(frozen=True, kw_only=True)
class Inner:
    deep: Annotated[int, typer.Option(help="How deep.")] = 1


@dataclass(frozen=True, kw_only=True)
class Outer:
    wide: Annotated[bool, typer.Option("--wide")] = False
    inner: Inner
    tall: Annotated[str | None, typer.Option()] = None


def test_a_group_is_one_value_and_stands_where_its_parameter_stands() -> None:
    seen: list[Any] = []

    def command(name: str, *, outer: Outer, last: bool = False) -> None:
        seen.append((name, outer, last))

    app = typer.Typer(rich_markup_mode=None)
    app.command()(with_option_group(command, "outer", Outer))
    run = CliRunner().invoke(app, ["ann", "--deep", "3", "--wide", "--last"])
    assert run.exit_code == 0, run.output
    assert seen == [("ann", Outer(wide=True, inner=Inner(deep=3)), True)]
    shown = CliRunner().invoke(app, ["--help"]).output
    places = [shown.index(option) for option in ("--wide", "--deep", "--tall", "--last")]
    assert places == sorted(places)


def test_nan_lies_in_no_range() -> None:
    assert refuse_nan(1.5) == 1.5
    assert refuse_nan(None) is None
    with pytest.raises(typer.BadParameter, match="nan is not a number"):
        refuse_nan(float("nan"))
