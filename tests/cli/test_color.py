"""``--color`` of every command, and the variables of the environment that speak of colour."""

import re
from typing import Any

import pexpect
import pytest

from tests.support.running import sockctl

COLOURED = re.compile(r"\x1b\[[0-9;]*m")
NEUTRAL = {"NO_COLOR": "", "FORCE_COLOR": "", "CLICOLOR": "", "CLICOLOR_FORCE": ""}


@pytest.mark.parametrize(
    ("environment", "options", "coloured"),
    [
        ({}, [], True),
        ({"NO_COLOR": "1"}, [], False),
        ({"CLICOLOR": "0"}, [], False),
        ({"TERM": "dumb"}, [], False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, [], True),
        ({}, ["--color", "never"], False),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
        ({"NO_COLOR": "1", "TERM": "dumb"}, ["--color", "always"], True),
        ({"NO_COLOR": "1"}, ["--color", "auto"], False),
    ],
)
def test_a_server_on_a_terminal(terminal: Any, environment: dict[str, str], options: list[str], coloured: bool) -> None:
    child = terminal("serve", "echo", "--port", "0", *options, **{**NEUTRAL, **environment})
    child.expect("listening")
    child.sendintr()
    child.expect(pexpect.EOF)
    assert (COLOURED.search(child.before) is not None) is coloured


@pytest.mark.parametrize("words", [["--color", "always", "serve", "echo"], ["serve", "--color", "always", "echo"]])
def test_the_option_stands_at_any_level(terminal: Any, words: list[str]) -> None:
    child = terminal(*words, "--port", "0", **{**NEUTRAL, "NO_COLOR": "1"})
    child.expect(COLOURED)
    child.sendintr()
    child.expect(pexpect.EOF)


@pytest.mark.parametrize("command", ["serve echo", "connect", "users list", "hosts trust", "bench login", "logout"])
def test_every_command_has_the_option(command: str) -> None:
    assert b"--color" in sockctl(*command.split(), "--help").stdout


def test_another_word_is_refused() -> None:
    done = sockctl("serve", "echo", "--color", "sometimes")
    assert done.returncode == 2
    assert b"'auto', 'always', 'never'" in done.stderr
