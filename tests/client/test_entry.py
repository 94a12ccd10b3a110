import pytest

from sockctl.client.entry import Entry, as_said, show_text


@pytest.mark.parametrize(
    ("text", "lines"),
    [("one", ["one"]), ("one\n\n", ["one"]), ("\none\n\ntwo\n", ["", "one", "", "two"]), ("", [""]), ("\n", [""])],
)
def test_empty_lines_behind_the_last_are_left_out(text: str, lines: list[str]) -> None:
    entry = Entry.of(text)
    assert entry.lines == lines
    assert entry.is_block is (len(lines) > 1)


@pytest.mark.parametrize(
    ("text", "too_large"),
    [
        ("x\n" * 200, False),
        ("x\n" * 201, True),
        ("x" * 20_000, False),
        ("x\n" + "y" * 16_382, False),
        ("x\n" + "y" * 16_383, True),
        ("x\n" + "я" * 8_200, True),
    ],
)
def test_limits_hold_for_blocks(text: str, too_large: bool) -> None:
    assert Entry.of(text).is_too_large is too_large


@pytest.mark.parametrize(
    ("line", "said"),
    [("/quit", "//quit"), ("//x", "///x"), ("\x07/quit", "//quit"), (" /x", " /x"), ("\tif x:", "\tif x:"), ("", "")],
)
def test_no_line_of_a_block_is_a_command(line: str, said: str) -> None:
    assert as_said(line) == said


def test_a_text_is_made_visible_line_by_line() -> None:
    assert show_text("one\n\x1b[2J\n") == "one\n\N{SYMBOL FOR ESCAPE}[2J\n"
