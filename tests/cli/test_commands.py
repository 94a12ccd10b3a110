"""What all commands have in common, seen in real processes."""

import re
from typing import Any

import pexpect
import pytest

from sockctl import __version__
from sockctl.cli.commands import format_range, suggest
from tests.support.running import sockctl
from tests.support.terminal import ended

COLOUR = "\x1b["


def show(terminal: Any, columns: int, *arguments: str, **environment: str) -> str:
    child = terminal(*arguments, columns=columns, **{"NO_COLOR": "", "FORCE_COLOR": "", **environment})
    child.expect(pexpect.EOF)
    shown: str = child.before
    assert ended(child) == 0
    return shown


@pytest.mark.parametrize(
    ("lowest", "highest", "text"),
    [(1, 65_536, "1\u201365536"), (1, 1_000_000, "1\u20131,000,000"), (1, None, "1 at least"), (None, 9, "9 at most")],
)
def test_ranges_read_as_people_write_them(lowest: float | None, highest: float | None, text: str) -> None:
    assert format_range(lowest, highest) == text


def test_the_nearest_words_are_suggested() -> None:
    assert suggest("--prot", ["--port", "--quiet"]) == " Did you mean --port?"
    assert suggest("rm", ["remove"], ["remove"]) == " Did you mean remove?"
    assert suggest("Events", ["events", "servers"]) == " Did you mean events?"
    assert suggest("xyz", ["--port"]) == ""
    assert suggest("xyz", ["--port"], otherwise="See the list.") == " See the list."


@pytest.mark.parametrize("command", [[], ["serve"], ["serve", "echo"], ["connect"], ["users", "add"]])
def test_every_command_takes_h_and_v(command: list[str]) -> None:
    assert sockctl(*command, "-h").stdout == sockctl(*command, "--help").stdout
    assert sockctl(*command, "-V").stdout.decode() == f"sockctl {__version__}\n"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("connect", "[[SCHEME://]HOST[:PORT][,…]] [PORT ...]"),
        ("logout", "HOST[:PORT][,…] [PORT]"),
        ("clients rename", "ADDRESS|NAME NAME"),
        ("users add", "NAME"),
        ("hosts add", "HOST[:PORT] [PORT] SHA256"),
        ("bench echo", "[SCHEME://]HOST[:PORT] [PORT]"),
    ],
)
def test_usage_lines_read_as_people_write_them(command: str, arguments: str) -> None:
    usage = f"Usage: sockctl {command} [OPTIONS] {arguments}"
    assert sockctl(*command.split(), "-h").stdout.decode().splitlines()[0] == usage
    assert sockctl(*command.split(), "--nonsense").stderr.decode().splitlines()[0] == usage


def test_help_shows_groups_examples_exit_codes_and_files() -> None:
    shown = sockctl("serve", "identify", "--help").stdout.decode()
    titles = re.findall(r"(?m)^(\w[\w ]+):", shown)
    assert [title for title in titles if title in {"Listening", "Who may connect", "Encryption", "Events"}] == [
        "Listening",
        "Who may connect",
        "Encryption",
        "Events",
    ]
    assert "\n  sockctl serve identify\n  sockctl connect sockctl://localhost:9090\n" in shown
    assert "\nExit codes: 0 done, " in shown
    assert "\nFiles: clients.db in the data directory." in shown


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("echo", {"Load": ["size", "depth", "rate", "processes", "clients"]}),
        ("chat", {"Load": ["senders", "size", "depth", "rate", "clients"]}),
        ("login", {"Login": ["user", "insecure"], "Password": ["password-stdin", "password-file"]}),
    ],
)
def test_bench_shows_its_options_in_groups(kind: str, own: dict[str, list[str]]) -> None:
    shown = sockctl("bench", kind, "--help").stdout.decode()
    groups = {
        title: re.findall(r"(?m)^  --([\w-]+)", rows)
        for title, rows in re.findall(r"(?ms)^(\S[^\n:]*):\n(.*?)\n\n", shown)
    }
    expected = {
        "How long": ["duration", "count", "warm-up", "timeout"],
        "Comparing": ["compare", "rounds"],
        "Output": ["json"],
        "Options": ["state-dir", "no-input", "color"],
        **own,
    }
    assert {title: groups.get(title) for title in expected} == expected


def test_the_list_shows_commands_in_groups() -> None:
    shown = sockctl("--help").stdout.decode()
    assert re.findall(r"(?m)^(Serve|Talk|Manage|Measure):", shown) == ["Serve", "Talk", "Manage", "Measure"]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("command", [["--help"], ["serve", "chat", "--help"], ["connect", "--help"]])
def test_panels_fit_the_terminal_and_break_no_word(terminal: Any, columns: int, command: list[str]) -> None:
    shown = show(terminal, columns, *command, NO_COLOR="1")
    assert COLOUR not in shown
    assert "\u256d" in shown
    assert [line for line in shown.splitlines() if len(line) > columns] == []
    plain = sockctl(*command).stdout.decode()
    words = set(re.sub("[\u2500-\u257f]", " ", shown).split())
    assert set(plain.split()) - words <= {
        each for line in plain.splitlines() if re.match(r"\w.*:$", line) for each in line.split()
    }


@pytest.mark.parametrize(
    ("arguments", "environment", "coloured"),
    [
        (["--help"], {}, True),
        (["--help"], {"NO_COLOR": "1"}, False),
        (["--help"], {"CLICOLOR": "0"}, False),
        (["--help"], {"TERM": "dumb"}, False),
        (["--color", "never", "--help"], {}, False),
        (["serve", "echo", "--help", "--color", "never"], {"FORCE_COLOR": "1"}, False),
        (["serve", "echo", "--color=always", "--help"], {"NO_COLOR": "1"}, True),
    ],
)
def test_colour_of_help_is_chosen(
    terminal: Any, arguments: list[str], environment: dict[str, str], coloured: bool
) -> None:
    assert (COLOUR in show(terminal, 80, *arguments, **environment)) is coloured


def test_a_dumb_terminal_gets_plain_text(terminal: Any) -> None:
    shown = show(terminal, 80, "serve", "--help", TERM="dumb")
    assert shown.replace("\r\n", "\n") == sockctl("serve", "--help").stdout.decode()
