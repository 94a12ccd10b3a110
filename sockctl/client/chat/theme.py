"""The colours of a chat, chosen for their contrast with the terminal's background (WCAG 2, relative luminance).

On a known background, names, times and errors have a contrast of 4.5 or more. On an unknown one, the colours are of
middle lightness, and can be read on black and on white.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from sockctl.palette import Style

Rgb = tuple[int, int, int]
"""Red, green and blue, 0 to 255 each."""
MIN_CONTRAST = 4.5
"""The contrast that WCAG 2 asks of text in the usual size."""
FAINT_CONTRAST = 6.0
"""The contrast of faint text, where the background allows it."""
MIN_NAMES = 6
"""Colours of names from which on a palette will do; of fewer, many names would look alike."""
UNKNOWN = (130, 100, 64, 28, 30, 32, 67, 63, 98, 134, 129, 164)
"""Of xterm's 256 colours: each has a contrast of 3.6 or more on black and on white, and none is red."""
_ON_DARK = (208, 214, 184, 148, 114, 80, 45, 75, 111, 141, 177, 213, 180, 108)
_ON_LIGHT = (94, 130, 58, 22, 28, 23, 24, 25, 26, 61, 55, 90, 127, 97)
_ERRORS = (160, 124, 203, 210)
_GREYS = range(232, 256)
_ANSI: tuple[Rgb, ...] = (
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
)
"""The first 16 colours as xterm has them."""
_LEVELS = (0, 95, 135, 175, 215, 255)
_REPLY = re.compile(r"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")


class Theme(NamedTuple):
    """Colours as ANSI sequences that begin them.

    Attributes:
        names: The colours of names; empty where names have the terminal's own.
        faint: The colour of times, and of members that come and go.
        error: The colour of refusals.
    """

    names: tuple[str, ...]
    faint: str
    error: str


def choose_theme(background: Rgb | None) -> Theme:
    """Return the colours for a background; None for an unknown one."""
    if background is None:
        return Theme(tuple(map(_begin, UNKNOWN)), Style.FAINT, Style.ERROR)
    names = _readable(_ON_DARK if is_dark(background) else _ON_LIGHT, background)
    errors = _readable(_ERRORS, background)
    greys = sorted(_readable(_GREYS, background), key=lambda grey: measure_contrast(rgb_of(grey), background))
    faint = next((grey for grey in greys if measure_contrast(rgb_of(grey), background) >= FAINT_CONTRAST), None)
    faint = greys[-1] if faint is None and greys else faint
    return Theme(
        tuple(map(_begin, names)) if len(names) >= MIN_NAMES else (),
        "" if faint is None else _begin(faint),
        _begin(errors[0]) if errors else "",
    )


def find_background(reply: str, environment: Mapping[str, str]) -> Rgb | None:
    """Return the terminal's background: from its reply to OSC 11, else from COLORFGBG; None if neither tells.

    Args:
        reply: What the terminal has replied, such as ``ESC ] 11 ; rgb:ffff/ffff/ffff BEL``.
        environment: The variables of the environment.
    """
    if found := _REPLY.search(reply):
        red, green, blue = (round(int(part, 16) * 255 / (16 ** len(part) - 1)) for part in found.groups())
        return red, green, blue
    number = environment.get("COLORFGBG", "").rpartition(";")[2]
    return _ANSI[int(number)] if re.fullmatch("[0-9]|1[0-5]", number) else None


def is_dark(background: Rgb) -> bool:
    """Return whether white stands out from a background more than black."""
    return measure_contrast((255, 255, 255), background) >= measure_contrast((0, 0, 0), background)


def measure_contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG 2 defines it."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def rgb_of(number: int) -> Rgb:
    """Return a colour of xterm's 256."""
    if number < 16:  # noqa: PLR2004  the colours that a user may have changed
        return _ANSI[number]
    if number >= 232:  # noqa: PLR2004  the greys
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    number -= 16
    return _LEVELS[number // 36], _LEVELS[number // 6 % 6], _LEVELS[number % 6]


def _readable(numbers: "tuple[int, ...] | range", background: Rgb) -> list[int]:
    return [number for number in numbers if measure_contrast(rgb_of(number), background) >= MIN_CONTRAST]


def _begin(number: int) -> str:
    return f"\x1b[38;5;{number}m"


def _luminance(colour: Rgb) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004  of sRGB
        for part in (value / 255 for value in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
