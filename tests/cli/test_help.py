"""``sockctl help`` as users see it: in a pipe, on terminals of several widths, and with what it can't do."""

import re
from pathlib import Path
from typing import Any

import pexpect
import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.topics import list_topics
from tests.support.running import sockctl
from tests.support.screens import find_cut_words
from tests.support.terminal import ended
from tests.support.tools import tool

TOPICS = list(list_topics())
COLOURS = re.compile(r"\x1b\[[\d;]*m")


def test_topics_are_listed_with_their_titles() -> None:
    done = sockctl("help")
    assert (done.returncode, done.stderr) == (0, b"")
    for topic, title in list_topics().items():
        assert re.search(rf"^  {topic} +{re.escape(title)}$", done.stdout.decode(), re.MULTILINE)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_pipe_gets_the_page_without_colours(topic: str) -> None:
    done = sockctl("help", topic)
    page = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert page.startswith(f"# {list_topics()[topic]}\n")
    assert "\x1b" not in page
    assert "{{" not in page


def show(terminal: Any, *arguments: str, columns: int, **environment: str) -> str:
    child = terminal(*arguments, columns=columns, PAGER="cat", **environment)
    child.expect(pexpect.EOF)
    return str(child.before).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_shows_no_line_that_is_too_long(terminal: Any, columns: int) -> None:
    page = show(terminal, "help", "connect", columns=columns)
    assert "\x1b[1m" in page
    plain = COLOURS.sub("", page)
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= min(columns, 100)
    assert "half-closes" in plain
    assert "```" not in plain


@pytest.mark.parametrize("topic", [None, *TOPICS])
def test_a_narrow_terminal_cuts_no_word(terminal: Any, topic: str | None) -> None:
    wide, medium, narrow = (
        show(terminal, "help", *filter(None, [topic]), columns=width, NO_COLOR="1") for width in (200, 80, 40)
    )
    assert not find_cut_words(medium, wide, 80)
    assert not find_cut_words(narrow, wide, 40)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CLICOLOR": "0"}])
def test_a_terminal_without_colours(terminal: Any, environment: dict[str, str]) -> None:
    page = show(terminal, "help", "exit-codes", columns=80, **environment)
    assert not re.search(r"\x1b\[[\d;]*3\dm", page)
    assert "130" in page


def test_a_terminal_shows_the_page_in_less(terminal: Any) -> None:
    tool("less", "less")
    child = terminal("help", "servers", PAGER="")
    child.expect("The servers: echo, identify, talk")
    child.expect("[:~]|END")  # less waits for a key
    child.send("q")
    assert ended(child) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["event"], "There is no topic 'event'. Did you mean events?"),
        (["\x1b[31m"], "There is no topic '"),
        (["tls", "--man", "."], "TOPIC and --man exclude each other."),
        (["--man", "/dev/null"], "/dev/null"),
        (["--man", "/dev/null/man"], "The man pages can't be written into /dev/null/man: Not a directory."),
    ],
)
def test_what_it_cannot_show(arguments: list[str], says: str) -> None:
    done = sockctl("help", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == b""
    assert says in " ".join(done.stderr.decode().split())
    assert b"\x1b" not in done.stderr


def test_man_pages_are_written(tmp_path: Path) -> None:
    done = sockctl("help", "--man", str(tmp_path / "man1"))
    assert done.returncode == 0
    assert f"man -l {tmp_path}/man1/sockctl.1" in done.stdout.decode()
    assert (tmp_path / "man1" / "sockctl-serve-echo.1").read_text().startswith('.TH "SOCKCTL-SERVE-ECHO" 1')
