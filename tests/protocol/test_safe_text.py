"""Text of a stranger: what goes, what becomes a space, and what stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.protocol.safe_text import clean
from sockctl.text import HIDDEN_CODES, visible

BREAKS = "\n\v\f\r\x85\u2028\u2029"


CONTEXTUAL = {0x200C, 0x200D, *range(0xE0000, 0xE0080)}  # they stay where text needs them
FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"  # Scotland's


def cleaned_one_by_one(text: str) -> str:
    result = ""
    for character in text.replace("\r\n", "\n"):
        if character in BREAKS:
            result += " "
        elif ord(character) not in HIDDEN_CODES:
            result += character
    return result


@settings(deadline=None)
@given(st.text(st.sampled_from("ab\t \x1b\x7f\x9b\u202e\u2066\ud800🦜\u200b\u3164" + BREAKS)) | st.text())
def test_nothing_hidden_comes_through(text: str) -> None:
    safe = clean(text)
    if not CONTEXTUAL & set(map(ord, text)):
        assert safe == cleaned_one_by_one(text)
    assert clean(safe) == safe
    assert not HIDDEN_CODES & set(map(ord, safe))


@settings(deadline=None)
@given(st.text(st.sampled_from("a🦜🏽\u200d\u200c\u0645\u094d\ufe0f\u200b\x1b" + FLAG)))
def test_what_was_cleaned_stays_as_it_is(text: str) -> None:
    safe = clean(text)
    assert clean(safe) == safe
    assert visible(safe) == safe


def test_every_character() -> None:
    kept = {code for code in range(0x110000) if clean(chr(code)) == chr(code)}
    assert set(range(0x110000)) - kept == HIDDEN_CODES | CONTEXTUAL


def test_each_line_break_is_one_space() -> None:
    for line_break in (*BREAKS, "\r\n"):
        assert clean(f"a{line_break}b") == "a b"
        assert clean(f"a{line_break}{line_break}b") == "a  b"


def test_what_hidden_means() -> None:
    hidden = {*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)}
    formatters = {0xAD, 0x180E, 0x200B, *range(0x2060, 0x2065), *range(0x206A, 0x2070), 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB}
    formatters |= {*range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B)}
    fillers = {0x115F, 0x1160, 0x3164, 0xFFA0}
    assert hidden - {9} | formatters | fillers | set(range(0xD800, 0xE000)) == HIDDEN_CODES


NEEDED = [
    "👩\u200d🚀",
    "👩🏽\u200d❤\ufe0f\u200d💋\u200d👨🏿",  # skin tones and variation selectors between the joiners
    "🏴\u200d☠\ufe0f",
    "🙂\u200d↔\ufe0f",
    FLAG,
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: I want
    "\u0647\u200d",  # Persian: a heh in its initial form, which stands for the Islamic calendar
    "\u0915\u094d\u200d\u0937 \u0915\u094d\u200c\u0937",  # Devanagari: half form, and explicit virama
    "\u0dc1\u0dca\u200d\u0dbb\u0dd3",  # Sinhala: Sri
    "\u0d28\u0d4d\u200d",  # Malayalam: a chillu at a word's end
    "\u182d\u180b",  # Mongolian: a variation selector
]


@pytest.mark.parametrize("text", NEEDED)
def test_joiners_and_tags_stay_where_text_needs_them(text: str) -> None:
    assert clean(f"a {text}{text} b") == f"a {text}{text} b"
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\u200db\u200cc", "abc"),
        ("\u200dann", "ann"),
        ("👩\u200d", "👩"),
        ("👩\u200c🚀", "👩🚀"),
        ("👩\u200d\u200d🚀", "👩🚀"),
        ("a\U000e0061\U000e0062\U000e0063", "a"),
        (FLAG[:-1], "🏴"),
        (FLAG[1:], ""),
        ("🏴\U000e007f", "🏴"),
        (f"🏴{FLAG[1] * 7}{FLAG[-1]}", "🏴"),
        (f"🏴\U000e0041{FLAG[1:]}", "🏴"),
    ],
)
def test_strays_go(text: str, safe: str) -> None:
    assert clean(text) == safe
    hidden = len(text) - len(safe)
    assert visible(text).count("\N{REPLACEMENT CHARACTER}") == hidden
    assert len(visible(text)) == len(text)


@pytest.mark.parametrize("text", ["hello", "Zoë\tü", "👩\u200d🚀 e\u0301 עברית", "[/x] [bold]", "한글 ᄒ"])
def test_what_stays(text: str) -> None:
    assert clean(text) == text


def test_line_breaks() -> None:
    assert clean("a\r\nb\nc\rd\u2028e") == "a b c d e"
