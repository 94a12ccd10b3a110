"""Text from a stranger is shown in lines that can't steer a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.proxy.rendering import render_text
from sockctl.text import make_visible


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"one\r\ntwo\n", "one\ntwo"),
        (b"one\n\ntwo", "one\n\ntwo"),
        (b"\x1b[2J\rx\x00", "␛[2J␍x␀"),
        ("grüße \u202e".encode(), "grüße \ufffd"),
        (b"\xff!", "\ufffd!"),
        (b"", ""),
    ],
)
def test_lines(data: bytes, shown: str) -> None:
    assert render_text(data, limit=100) == shown


def test_what_is_left_out_is_said() -> None:
    assert render_text(b"abc\n" * 10, limit=8) == "abc\nabc\n… 32 bytes more"


@given(st.binary(max_size=100), st.integers(0, 100))
def test_anything_is_safe(data: bytes, limit: int) -> None:
    for line in render_text(data, limit=limit).split("\n"):
        assert make_visible(line) == line
