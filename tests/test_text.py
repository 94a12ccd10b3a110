import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.text import (
    HIDDEN_CODES,
    TerminalText,
    clean,
    escape_json,
    format_age,
    format_bytes,
    format_count,
    format_delay,
    format_idle,
    format_seconds,
    is_whole_number,
    join_lines,
    make_visible,
)

DANGEROUS = [
    *[chr(code) for code in range(0x20) if chr(code) != "\t"],
    *[chr(code) for code in range(0x7F, 0xA0)],
    *[chr(code) for code in range(0x202A, 0x202F)],
    *[chr(code) for code in range(0x2066, 0x206A)],
    "\u2028",
    "\u2029",
    "\ud800",
    "\udfff",
    *"\u00ad\u061c\u115f\u1160\u200b\u200e\u200f\u2060\u206a\u3164\ufeff\uffa0\ufff9\ufffa\ufffb",
    *"\U000e0001\U000e0041\U000e007f",  # tags
]


def test_visible_lets_nothing_dangerous_through() -> None:
    shown = make_visible("".join(DANGEROUS))
    assert not set(shown) & set(DANGEROUS)
    assert len(shown) == len(DANGEROUS)
    shown.encode()  # no lone surrogate is left


def test_visible_keeps_what_people_write() -> None:
    text = "Grüße, 你好, שלום, \t👩\u200d👩\u200d👧 e\u0301 [/x] \u0645\u06cc\u200c\u062e 🏳\ufe0f"
    assert make_visible(text) == text


@pytest.mark.parametrize("indent", [None, 2])
def test_json_keeps_its_value_and_nothing_dangerous(indent: int | None) -> None:
    value = {"Grüße, 你好": " ".join(DANGEROUS), "\x7f": ["👩\u200d🚀", "\u202e"]}
    escaped = escape_json(json.dumps(value, ensure_ascii=False, indent=indent))
    assert json.loads(escaped) == value
    assert not (set(escaped) - {"\n"}) & set(DANGEROUS)
    assert "Grüße, 你好" in escaped
    assert "👩\u200d🚀" in escaped
    escaped.encode()  # no lone surrogate is left


def test_escape_sequence_is_shown_not_obeyed() -> None:
    assert make_visible("\x1b[31mred") == "\N{SYMBOL FOR ESCAPE}[31mred"


FLAG = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"  # England's
SEQUENCES = st.lists(st.sampled_from(["a", "\r", "\n", "👩", "\ufe0f", "\u200d", "\u200c", "م", FLAG, FLAG[:3], *FLAG]))


@given(st.binary() | SEQUENCES.map("".join).map(str.encode), st.lists(st.integers(0, 40)) | st.lists(st.just(1)))
def test_terminal_text_does_not_depend_on_the_cuts(data: bytes, cuts: list[int]) -> None:
    whole = TerminalText().feed(data, final=True)
    piecewise = TerminalText()
    shown = ""
    for cut in cuts:
        shown += piecewise.feed(data[:cut])
        data = data[cut:]
    shown += piecewise.feed(data, final=True)
    assert shown == whole
    assert make_visible(whole.replace("\n", "")) == whole.replace("\n", "")


@pytest.mark.parametrize("text", [FLAG * 3, "👩\u200d🚀", "\u0645\u06cc\u200c\u062e"])
def test_terminal_text_keeps_sequences_that_come_byte_by_byte(text: str) -> None:
    stream = TerminalText()
    assert "".join([stream.feed(bytes([byte])) for byte in text.encode()]) + stream.feed(b"", final=True) == text


def test_terminal_text_line_ends() -> None:
    text = TerminalText()
    assert text.feed(b"one\r") == "one"
    assert text.feed(b"\ntwo\rthree\n") == "\ntwo\N{SYMBOL FOR CARRIAGE RETURN}three\n"
    assert text.feed(b"end\r") == "end"
    assert text.feed(b"", final=True) == "\N{SYMBOL FOR CARRIAGE RETURN}"


def test_format_bytes() -> None:
    shown = {
        0: "0 bytes",
        1: "1 byte",
        1023: "1,023 bytes",
        1024: "1.0 KiB",
        12 * 1024 * 1024: "12.0 MiB",
        1024 * 1024 - 1: "1.0 MiB",
        5 * 1024**4: "5.0 TiB",
        5000 * 1024**4: "5,000.0 TiB",
    }
    assert {count: format_bytes(count) for count in shown} == shown


def test_format_seconds() -> None:
    shown = {0: "0 ms", 0.0004: "0 ms", 0.0126: "13 ms", 0.9994: "999 ms", 0.9996: "1.0 s", 12.34: "12.3 s"}
    assert {seconds: format_seconds(seconds) for seconds in shown} == shown


def test_format_delay() -> None:
    shown = {0: "0 µs", 0.0000126: "13 µs", 0.0009994: "999 µs", 0.0009996: "1 ms", 0.25: "250 ms", 12.34: "12.3 s"}
    assert {seconds: format_delay(seconds) for seconds in shown} == shown


def test_plural() -> None:
    assert format_count(1, "portion") == "1 portion"
    assert format_count(12_288, "portion") == "12,288 portions"
    assert format_count(2, "is", "are") == "2 are"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (0.9, "just now"),
        (1, "1 second ago"),
        (119, "1 minute ago"),
        (7200, "2 hours ago"),
        (86_400, "1 day ago"),
        (86_400 * 400, "400 days ago"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


# What strangers send: what goes, what becomes a space, and what stays.

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
    assert make_visible(safe) == safe


def test_every_character() -> None:
    kept = {ord(one) for one in clean("x".join(map(chr, range(0x110000))))}
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
    assert make_visible(text) == text


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
    assert make_visible(text).count("\N{REPLACEMENT CHARACTER}") == hidden
    assert len(make_visible(text)) == len(text)


@pytest.mark.parametrize("text", ["hello", "Zoë\tü", "👩\u200d🚀 e\u0301 עברית", "[/x] [bold]", "한글 ᄒ"])
def test_what_stays(text: str) -> None:
    assert clean(text) == text


def test_line_breaks() -> None:
    assert clean("a\r\nb\nc\rd\u2028e") == "a b c d e"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, ""),
        (0, ""),
        (59, ""),
        (60, "1m"),
        (3_599, "59m"),
        (3_600, "1h"),
        (86_399, "23h"),
        (86_400, "1d"),
        (10**9, "11574d"),
    ],
)
def test_an_idle_time_has_one_unit(seconds: int, shown: str) -> None:
    assert format_idle(seconds) == shown


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("Its certificate has\n  SHA256 AB:54\nCompare that.", "Its certificate has SHA256 AB:54. Compare that."),
        (
            "It has\n  SHA256 AB\nand was known by\n  SHA256 CD\nBye.",
            "It has SHA256 AB and was known by SHA256 CD. Bye.",
        ),
        ("One.\nTwo.", "One. Two."),
        ("no line\n", "no line"),
    ],
)
def test_lines_become_one_and_sentences_stay_apart(lines: str, line: str) -> None:
    assert join_lines(lines) == line


@pytest.mark.parametrize("text", ["0", "007", "9" * 19])
def test_whole_numbers(text: str) -> None:
    assert is_whole_number(text)
    assert int(text) >= 0


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_0", "1.0", "²", "٣", "9" * 20, "9" * 5_000])
def test_what_is_no_whole_number(text: str) -> None:
    assert not is_whole_number(text)
