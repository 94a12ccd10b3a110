"""All golden screens: no word is cut where a terminal is narrow. The comparison itself is tested, too."""

import re

import pytest

from tests.support.screens import FOLDER, find_cut_words

NARROW = sorted(path for path in FOLDER.glob("*.txt") if re.search(r"-(40|80)(-colour)?$", path.stem))


@pytest.mark.parametrize("name", [path.stem for path in NARROW])
def test_a_golden_screen_cuts_no_word(name: str) -> None:
    columns = int(re.findall(r"-(40|80)\b", name)[-1])
    wide = re.sub(r"-(40|80)(-colour)?$", r"-200\2", name)
    screen, wide_screen = ((FOLDER / f"{each}.txt").read_text(encoding="utf-8") for each in (name, wide))
    assert not find_cut_words(screen, wide_screen, columns)


@pytest.mark.parametrize(
    ("screen", "wide", "cut"),
    [
        ("one\ntwo", "one two", []),
        ("│ \x1b[1mone\x1b[0m │\n█", "one █████", []),
        ("on\ne two", "one two", ["e", "on", "one"]),
        ("one", "one two", ["two"]),
        ("one tw…", "one two", ["two", "tw…"]),
        ("AB:CD:\nEF:01", "AB:CD:EF:01", []),
        ("AB:CD:E\nF:01", "AB:CD:EF:01", ["AB:CD:E", "F:01"]),
        ("abcdefghijkl", "abcdefghijkl", []),
        ("one two six seven", "one two six seven", ["one two six seven"]),
    ],
)
def test_what_is_cut_is_found(screen: str, wide: str, cut: list[str]) -> None:
    assert find_cut_words(screen, wide, 10) == cut
