import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.client.chat.theme import (
    MIN_CONTRAST,
    UNKNOWN,
    Rgb,
    choose_theme,
    find_background,
    is_dark,
    measure_contrast,
    rgb_of,
)

BLACK, WHITE, GREY = (0, 0, 0), (255, 255, 255), (127, 127, 127)
COMMON = [
    BLACK,
    (30, 30, 30),
    (30, 30, 46),
    (0, 43, 54),
    (40, 40, 40),
    (48, 10, 36),
    WHITE,
    (253, 246, 227),
    (238,) * 3,
]
BYTE = st.integers(0, 255)


def colour(sequence: str) -> Rgb:
    return rgb_of(int(re.fullmatch(r"\x1b\[38;5;(\d+)m", sequence)[1]))  # type: ignore[index]  # it must match


def test_contrast_is_that_of_wcag() -> None:
    assert measure_contrast(BLACK, WHITE) == pytest.approx(21)
    assert measure_contrast(WHITE, WHITE) == 1
    assert measure_contrast((119, 119, 119), WHITE) == pytest.approx(4.48, abs=0.01)
    assert is_dark(BLACK)
    assert not is_dark(WHITE)


@given(st.tuples(BYTE, BYTE, BYTE))
def test_each_colour_can_be_read_on_any_background(background: Rgb) -> None:
    theme = choose_theme(background)
    for sequence in filter(None, (*theme.names, theme.faint, theme.error)):
        assert measure_contrast(colour(sequence), background) >= MIN_CONTRAST


@pytest.mark.parametrize("background", COMMON)
def test_common_backgrounds_have_many_colours(background: Rgb) -> None:
    theme = choose_theme(background)
    assert len(set(theme.names)) >= 8
    assert theme.faint
    assert theme.error


def test_on_a_middle_grey_names_have_the_terminals_own_colour() -> None:
    assert choose_theme(GREY).names == ()


def test_an_unknown_background_has_colours_that_fit_both() -> None:
    theme = choose_theme(None)
    assert theme.names == tuple(f"\x1b[38;5;{number}m" for number in UNKNOWN)
    for name in theme.names:
        assert min(measure_contrast(colour(name), BLACK), measure_contrast(colour(name), WHITE)) > 3.6


@pytest.mark.parametrize(
    ("reply", "variable", "background"),
    [
        ("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", "15;0", WHITE),
        ("typed\x1b]11;rgb:1e1e/1e1e/2e2e\x07more", "", (30, 30, 46)),
        ("\x1b]11;rgba:00/2b/36/ff\x1b\\", "", (0, 43, 54)),
        ("\x1b]11;rgb:f/f/f\x1b\\", "", WHITE),
        ("", "15;0", BLACK),
        ("nonsense", "0;default;15", WHITE),
        ("", "15;default", None),
        ("", "15;16", None),
        ("", "", None),
        ("\x1b]11;?\x1b\\", "", None),
    ],
)
def test_where_the_background_comes_from(reply: str, variable: str, background: Rgb | None) -> None:
    assert find_background(reply, {"COLORFGBG": variable}) == background
    assert find_background("", {}) is None
