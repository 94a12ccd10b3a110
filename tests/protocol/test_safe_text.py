"""Text of a stranger: what goes, what becomes a space, and what stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.protocol.safe_text import clean
from sockctl.text import HIDDEN_CODES

BREAKS = "\n\v\f\r\x85\u2028\u2029"


def cleaned_one_by_one(text: str) -> str:
    result = ""
    for character in text.replace("\r\n", "\n"):
        if character in BREAKS:
            result += " "
        elif ord(character) not in HIDDEN_CODES:
            result += character
    return result


@settings(deadline=None)
@given(st.text(st.sampled_from("ab\t \x1b\x7f\x9b\u202e\u2066\ud800🦜" + BREAKS)) | st.text())
def test_nothing_hidden_comes_through(text: str) -> None:
    safe = clean(text)
    assert safe == cleaned_one_by_one(text)
    assert clean(safe) == safe
    assert not HIDDEN_CODES & set(map(ord, safe))


def test_every_character() -> None:
    kept = {code for code in range(0x110000) if clean(chr(code)) == chr(code)}
    assert set(range(0x110000)) - kept == HIDDEN_CODES


def test_each_line_break_is_one_space() -> None:
    for line_break in (*BREAKS, "\r\n"):
        assert clean(f"a{line_break}b") == "a b"
        assert clean(f"a{line_break}{line_break}b") == "a  b"


def test_what_hidden_means() -> None:
    hidden = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029}
    assert hidden - {9} | set(range(0xD800, 0xE000)) == HIDDEN_CODES


@pytest.mark.parametrize("text", ["hello", "Zoë\tü", "👩\u200d🚀 e\u0301 עברית", "[/x] [bold]\u00ad"])
def test_what_stays(text: str) -> None:
    assert clean(text) == text


def test_line_breaks() -> None:
    assert clean("a\r\nb\nc\rd\u2028e") == "a b c d e"
