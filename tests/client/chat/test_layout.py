import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.client.chat.layout import arrange_columns, draw_rule, measure_width, shorten, wrap_entry, wrap_text

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("ann", 3), ("привет", 6), ("小明", 4), ("e\u0301", 1), (FAMILY, 2), ("\N{THUMBS UP SIGN}", 2)],
)
def test_width(text: str, width: int) -> None:
    assert measure_width(text) == width


@pytest.mark.parametrize(
    ("text", "first", "rest", "rows"),
    [
        ("", 4, 4, [""]),
        ("short", 5, 5, ["short"]),
        ("one two three", 7, 5, ["one two", "three"]),
        ("  indented   code", 12, 12, ["  indented", "code"]),
        ("a  b", 9, 9, ["a  b"]),
        ("abcdefgh", 3, 4, ["", "abcd", "efgh"]),
        ("abcdefgh", 4, 4, ["abcd", "efgh"]),
        ("in abcdefghi j", 4, 4, ["in", "abcd", "efgh", "i j"]),
        ("小明小明小", 5, 5, ["小明", "小明", "小"]),
        ("привет мир", 7, 7, ["привет", "мир"]),
        ("a\tb", 9, 9, ["a   b"]),
        (f"{FAMILY}{FAMILY}", 3, 3, [FAMILY, FAMILY]),
        ("小", 1, 1, ["小"]),
        ("x ", 1, 1, ["x"]),
        ("see https://example.org/x", 12, 12, ["see https://", "example.org/", "x"]),
        ("see https://example.org/x", 11, 12, ["see", "https://exam", "ple.org/x"]),
    ],
)
def test_wrapping(text: str, first: int, rest: int, rows: list[str]) -> None:
    assert wrap_text(text, first=first, rest=rest) == rows


@given(st.text("ab жу小 /\U0001f600", max_size=60), st.integers(2, 20), st.integers(2, 20))
def test_nothing_is_lost_and_no_row_is_too_wide(text: str, first: int, rest: int) -> None:
    rows = wrap_text(text, first=first, rest=rest)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert all(measure_width(row) <= width for row, width in zip(rows, [first, *[rest] * len(rows)], strict=False))


@pytest.mark.parametrize(
    ("text", "columns", "short"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abcd", 1, "…"), ("abcd", 0, ""), ("小明小", 4, "小…")],
)
def test_shortening(text: str, columns: int, short: str) -> None:
    assert shorten(text, columns) == short


def test_rules() -> None:
    assert draw_rule("new", 40) == "── new ──"
    assert draw_rule("Wednesday, 30 September 2026", 20) == "── Wednesday, 30… ──"


def test_columns_go_from_top_to_bottom() -> None:
    assert arrange_columns(["a", "bb", "ccc", "d", "e"], 13) == ["a    ccc  e", "bb   d"]
    assert arrange_columns(["小", "b"], 13) == ["小  b"]
    assert arrange_columns(["a", "b"], 1) == ["a", "b"]
    assert arrange_columns(["abcdef"], 4) == ["abc…"]
    assert arrange_columns([], 4) == []


@given(st.lists(st.text("ab小", min_size=1, max_size=12), max_size=20), st.integers(4, 40))
def test_no_column_is_too_wide(cells: list[str], columns: int) -> None:
    assert all(measure_width(row) <= columns for row in arrange_columns(cells, columns))


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (80, ["  /who [ROOM]  List who is in your room."]),
        (31, ["  /who [ROOM]  List who is in", "               your room."]),
        (30, ["  /who [ROOM]", "      List who is in your", "      room."]),
        (8, ["  /who", "[ROOM]", "  List", "  who is", "  in", "  your", "  room."]),
    ],
)
def test_a_text_in_two_columns(columns: int, rows: list[str]) -> None:
    assert wrap_entry("  /who [ROOM]  List who is in your room.", 15, columns) == rows
