"""The table of commands, and the help that is made from it."""

import pytest

from sockctl.errors import UnknownCommandError
from sockctl.services.chat.command_table import COMMANDS, GROUPS, Command, list_help
from sockctl.services.chat.commands import parse
from sockctl.services.chat.text_limits import COLUMNS


def test_no_word_means_two_commands() -> None:
    words = [word for command in COMMANDS for word in (command.name, *command.aliases)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_is_explained(command: Command) -> None:
    assert command.group in GROUPS
    assert command.usage.startswith(f"/{command.name}")
    assert command.help.endswith(".")
    call = parse(command.example, operator=True)
    assert call.command is command, "the example is one"
    lines = list_help(command.name, operator=True)
    assert max(map(len, lines)) <= COLUMNS
    assert " ".join(list_help(command.name, operator=True, wraps=False)) == " ".join(lines)


@pytest.mark.parametrize("operator", [True, False])
def test_help_is_grouped_and_fits_a_terminal(operator: bool) -> None:
    lines = list_help(None, operator=operator)
    assert [line for line in lines if line.endswith(":")] == [f"{group}:" for group in GROUPS[: 4 + operator]]
    assert max(map(len, lines)) <= COLUMNS
    assert any("/kick" in line for line in lines) is operator
    assert lines[-1] == "/help COMMAND tells more. Anything else is said to your room; //x says /x."


def test_help_for_one_command() -> None:
    assert list_help(None, operator=False)[:2] == [
        "Talking:",
        "  /msg NAME TEXT      Say something to one member alone.",
    ]
    assert list_help("/MSG", operator=False) == [
        "/msg NAME TEXT: Say something to one member alone.",
        "For example: /msg bob Shall we go?",
        "Also written /tell.",
    ]
    assert list_help("away", operator=False) == [
        "/away [TEXT]: Say why you are away; without TEXT: be back.",
        "Who writes to you alone is told. Saying something ends it.",
        "For example: /away at lunch",
    ]
    with pytest.raises(UnknownCommandError, match="did you mean /nick"):
        list_help("nik", operator=False)
