"""README.md and the topic pages: their commands run as they stand, and name only what there is."""

import importlib
import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from sockctl.cli.app import COMMANDS
from tests.support.documents import PageRunner, read_steps

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "sockctl" / "help").glob("*.md"))]
WITH_SESSIONS = [page for page in PAGES if "```console" in page.read_text()]
WIDTH = 120
FIRST_WORD = re.compile(r"\d\S* (?:s|ms|µs|KB|KiB|MiB)\b\S*|\S+")
QUOTED = re.compile(r"`(sockctl [^`]+)`")


@pytest.mark.parametrize("page", WITH_SESSIONS, ids=lambda page: page.stem)
@pytest.mark.usefixtures("near")
def test_the_sessions_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """On a host of its own, so that the ports of the page are free."""
    runner = PageRunner(tmp_path)
    try:
        for step in read_steps(page.read_text()):
            runner.run(step)
    finally:
        differences = runner.stop()
    assert not differences, differences[0]


def find_command(words: list[str]) -> Any:
    """Return the command that the words call; None for a word that stands for several, as in `users add|remove`."""
    command: Any = None
    for word in words:
        if command is None and word in COMMANDS:
            command = typer.main.get_command(importlib.import_module(f"sockctl.cli.{word}").app)
        elif hasattr(command, "commands") and word in command.commands:
            command = command.commands[word]
        else:
            break
    return command


def quoted_commands() -> list[str]:
    found = {" ".join(each.split()) for page in PAGES for each in QUOTED.findall(page.read_text())}
    sessions = (step.command for page in PAGES for step in read_steps(page.read_text()))
    return sorted(found | {step for step in sessions if step.startswith("sockctl ")})


@pytest.mark.parametrize("line", quoted_commands())
def test_a_command_that_is_named_is_there_with_its_options(line: str) -> None:
    words = shlex.split(line.partition(";")[0])[1:]
    if words[0].startswith("-"):
        return
    command = find_command(words)
    assert command is not None, line
    known = {option for each in command.params for option in each.opts} | {"--help"}
    own = words[: words.index("--")] if "--" in words else words  # behind it stand the words of another command
    assert {word for word in own if word.startswith("--")} <= known


def test_the_readme_is_read_in_five_minutes() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 160
    assert len(re.findall(r"\w+", text)) <= 1500
    assert max(map(len, text.splitlines())) <= 120


def list_prose(text: str) -> list[list[str]]:
    """Return the lines of each paragraph and list item of a page, without code and tables."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    begun: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", "|", "    ", "{{")):
            begun.append([])
        elif re.match(r"(-|\d+\.) ", line):
            begun.append([line])
        else:
            begun[-1].append(line)
    return begun


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_paragraphs_fill_their_lines(page: Path) -> None:
    """A number and its unit stay together."""
    short = [
        line
        for lines in list_prose(page.read_text())
        for line, after in itertools.pairwise(lines)
        if len(f"{line} {FIRST_WORD.findall(after)[0]}") <= WIDTH
    ]
    assert not short


def test_every_topic_is_named_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    missing = {page.stem for page in PAGES[1:] if not re.search(rf"\b{page.stem}\b", text)}
    assert not missing
