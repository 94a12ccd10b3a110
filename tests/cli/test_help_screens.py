"""The golden files of the help, at several widths, with and without colour."""

import pytest

from tests.support.screens import WIDTHS, check_screen, take_screen

COMMANDS = (
    "",
    "serve",
    "serve echo",
    "serve chat",
    "connect",
    "listen",
    "proxy",
    "bench echo",
    "users add",
    "config show",
    "cluster check",
    "explain",
)


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", COMMANDS)
def test_golden_help(command: str, columns: int, *, colour: bool) -> None:
    screen = take_screen(*command.split(), "--help", columns=columns, colour=colour)
    name = "-".join(["help", *command.split(), str(columns), *(["colour"] if colour else [])])
    check_screen(name, screen)
