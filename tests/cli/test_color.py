"""``--color`` of every command, and the variables of the environment that speak of colour."""

import os
import re
from typing import Any

import pexpect
import pytest

from tests.support.running import CLOSED_PORT, sockctl
from tests.support.terminal import ended

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


REFUSED = ["connect", "127.0.0.1", str(CLOSED_PORT)]
RED_HEAD = "\x1b[31msockctl:\x1b[0m "


@pytest.mark.parametrize(
    ("command", "environment", "coloured"),
    [
        (REFUSED, {}, True),
        (["serve", "echo", "--portion", "0"], {}, True),
        (["users", "list", "--nonsense"], {}, True),
        (["nonsense"], {}, True),
        (REFUSED, {"NO_COLOR": "1"}, False),
        (REFUSED, {"CLICOLOR": "0"}, False),
        (REFUSED, {"TERM": "dumb"}, False),
        ([*REFUSED, "--color", "never"], {}, False),
        (["users", "list", "--nonsense", "--color", "never"], {}, False),
        (["--color", "always", "nonsense"], {"NO_COLOR": "1"}, True),
        (["serve", "echo", "--portion", "--color", "never", "--port"], {}, True),
    ],
)
def test_the_head_of_an_error_is_red(
    terminal: Any, command: list[str], environment: dict[str, str], coloured: bool
) -> None:
    child = terminal(*command, **{**NEUTRAL, **environment})
    assert ended(child) != 0
    head, _, said = child.before.splitlines()[-1].rpartition("sockctl:")
    assert head + "sockctl:" + said[:5] == RED_HEAD if coloured else head == ""
    assert COLOURED.sub("", child.before) == child.before.replace("\x1b[31m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize(("environment", "coloured"), [(NEUTRAL, False), ({**NEUTRAL, "FORCE_COLOR": "1"}, True)])
def test_an_error_in_a_pipe_is_plain_unless_colour_is_forced(environment: dict[str, str], coloured: bool) -> None:
    done = sockctl(*REFUSED, env={**os.environ, **environment})
    assert done.stderr.decode().startswith(RED_HEAD if coloured else "sockctl: ")
