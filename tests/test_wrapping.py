import pytest

from sockctl.wrapping import find_least_width, measure_width, wrap_lines, wrap_words


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("abc", 3), ("\x1b[31mabc\x1b[0m", 3), ("日本", 4), ("e\u0301", 1), ("\N{GRINNING FACE}", 2), ("äö", 2)],
)
def test_width(text: str, width: int) -> None:
    assert measure_width(text) == width


def test_words() -> None:
    assert list(wrap_words(["a", "bb", "ccc", "d"], first=4, rest=5)) == [["a", "bb"], ["ccc", "d"]]
    assert list(wrap_words([], first=4, rest=5)) == [[]]
    assert list(wrap_words(["long"], first=2, rest=5)) == [["long"]]


def test_a_long_word_is_cut_where_it_can_be() -> None:
    assert list(wrap_words(["in", "/usr/share/man"], first=8, rest=8)) == [["in", "/usr/"], ["share/"], ["man"]]
    assert list(wrap_words(["abcdefgh"], first=4, rest=4)) == [["abcdefgh"]]


@pytest.mark.parametrize(
    ("word", "least", "width"),
    [("abc", 4, 3), ("ab:cd:ef", 4, 4), ("ab:cd:ef", 2, 3), ("abcdefgh", 4, 8), ("", 4, 0), ("漢字/漢字", 3, 5)],
)
def test_the_least_width_of_a_word(word: str, least: int, width: int) -> None:
    assert find_least_width(word, least) == width


def test_lines() -> None:
    text = "short\n  a line that is indented"
    assert wrap_lines(text, 12) == "short\n  a line\n  that is\n  indented"
    assert wrap_lines("a  b", 12) == "a  b"
    assert wrap_lines("", 12) == ""
    assert wrap_lines("see /usr/share/man now", 8) == "see\n/usr/\nshare/\nman now"
    assert wrap_lines("see /usr/share/man now", 8, cuts=False) == "see\n/usr/share/man\nnow"
