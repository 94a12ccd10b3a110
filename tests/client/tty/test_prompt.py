"""Tests for `sockctl.client.tty.prompt`; what its keys do stands in `test_line_editor`."""

import io

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output.vt100 import Vt100_Output

from sockctl.client.tty.prompt import from_ansi, print_line


def test_coloured_text_becomes_pieces_of_one_style() -> None:
    text = "plain \x1b[31mred\x1b[0m end"
    pieces = from_ansi(text)
    assert "".join(piece for _, piece in pieces) == "plain red end"
    assert {piece for style, piece in pieces if style == "ansired"} == set("red")
    assert "\x1b" not in "".join(style for style, _ in pieces)
    assert from_ansi("") == []


@pytest.mark.parametrize("text", ["hello", ""])
def test_a_line_is_written_where_the_cursor_stands(text: str) -> None:
    written = io.StringIO()
    output = Vt100_Output(written, lambda: Size(rows=5, columns=20), term="xterm")
    with create_app_session(input=DummyInput(), output=output):
        prompt: PromptSession[str] = PromptSession()
        print_line(prompt, [("", text)])
    assert text in written.getvalue()
    assert written.getvalue().count("\n") == 1
