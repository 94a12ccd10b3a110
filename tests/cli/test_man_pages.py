"""The man pages: as the help says, without a fault that mandoc finds, and those in the repository are current."""

import re
import subprocess
from pathlib import Path

import pytest

from sockctl.cli.man_pages import LINE_COLUMNS, make_man_pages
from tests.support.tools import tool

MADE = Path(__file__).parents[2] / "data" / "man" / "man1"
PAGES = make_man_pages()


def test_the_pages_of_the_repository_are_current() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in MADE.glob("*.1")}
    assert kept.keys() == PAGES.keys(), "make them again: sockctl help --man data/man/man1, after removing the old ones"
    stale = [name for name, page in PAGES.items() if kept[name] != page]
    assert not stale, "make them again: sockctl help --man data/man/man1"


def test_every_command_has_a_page() -> None:
    assert {"sockctl.1", "sockctl-connect.1", "sockctl-serve.1", "sockctl-serve-echo.1", "sockctl-help.1"} <= set(PAGES)


def shown(page: str) -> str:
    done = subprocess.run(
        [tool("man", "man-db"), "-l", "-"],
        input=page,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANPAGER": "cat"},
    )
    return done.stdout


def test_a_page_as_man_shows_it() -> None:
    page = shown(PAGES["sockctl-connect.1"])
    sections = re.findall(r"^[A-Z].*$", page, re.MULTILINE)[1:]
    assert sections[:5] == ["NAME", "SYNOPSIS", "DESCRIPTION", "ARGUMENTS", "OPTIONS"]
    assert sections[-5:] == ["EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"]
    assert "sockctl-connect - Connect, send standard input, print what comes back" in page
    assert "--send TEXT" in page
    assert "printf abc | sockctl connect" in " ".join(page.split())


def test_examples_keep_their_lines() -> None:
    page = shown(PAGES["sockctl-bench-echo.1"])
    assert "\n         sockctl bench echo localhost:9090 --depth 16\n         sockctl bench echo" in page


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_finds_no_fault(name: str) -> None:
    """A page has no date: else it would differ from day to day."""
    done = subprocess.run(
        [tool("mandoc", "mandoc"), "-Tlint"], input=PAGES[name], capture_output=True, text=True, check=False, timeout=60
    )
    faults = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert not faults
    assert max(map(len, PAGES[name].splitlines())) <= 2 * LINE_COLUMNS
