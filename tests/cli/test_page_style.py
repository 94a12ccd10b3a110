"""How a page looks: headings at the left, code that stays whole, and tables that become lists."""

import io

import pytest
from rich.console import Console
from rich.theme import Theme

from sockctl.cli.page_style import STYLES, PageMarkdown

WORD = "--max-clients-per-address=12345678901234567890"
TABLE = "| Event | Meaning |\n|---|---|\n| `client_connected` | A client is here. |\n| `port_taken` | |\n"


def show(page: str, width: int, *, colour: bool = False) -> str:
    output = io.StringIO()
    console = Console(
        file=output,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        theme=Theme(STYLES),
    )
    console.print(PageMarkdown(page), crop=False)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def test_a_heading_stands_at_the_left_without_a_frame() -> None:
    assert show("# Title\n\nText.", 40) == "Title\n\nText."


def test_code_is_indented_and_breaks_at_spaces_only() -> None:
    lines = show(f"```\n$ sockctl serve {WORD}\n\nListening\n```", 30).strip("\n").splitlines()
    assert lines[0] == "    $ sockctl serve"
    assert any(line.endswith(WORD) for line in lines)
    assert lines[-2:] == ["", "    Listening"]


def test_what_the_user_types_is_bold() -> None:
    page = show("```\n$ sockctl help\nTopics\n```", 40, colour=True)
    assert "\x1b[1m    $ sockctl help" in page
    assert "    Topics" in page
    assert "\x1b[1m    Topics" not in page


def test_a_table_has_no_lines() -> None:
    assert show(TABLE, 60).split("\n")[1:] == [
        "Event             Meaning",
        "client_connected  A client is here.",
        "port_taken",
    ]


@pytest.mark.parametrize("width", [12, 18])
def test_a_table_that_would_cut_words_is_a_list(width: int) -> None:
    assert "Event: client_connected" in " ".join(show(TABLE, 24).split())
    lines = show(TABLE, width)
    assert "Meaning:" in lines
    assert lines.count("Meaning:") == 1, "an empty cell has no title"
