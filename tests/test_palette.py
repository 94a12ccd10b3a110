"""Tests for `sockctl.palette`."""

import re

import pytest

from sockctl.palette import END, Style, paint


@pytest.mark.parametrize("style", Style, ids=lambda style: style.name)
def test_a_painted_text_ends_its_style(style: Style) -> None:
    assert paint("text", style) == f"{style}text\x1b[0m"
    assert paint("", style) == f"{style}{END}"


def test_each_style_is_one_of_the_users_own_colours() -> None:
    codes = [re.fullmatch(r"\x1b\[(\d+)m", style) for style in Style]
    assert all(codes)
    assert {int(code[1]) for code in codes if code} <= {2, *range(30, 38), *range(90, 98)}
    assert len(set(Style)) == len(Style), "each meaning is told from the others"
