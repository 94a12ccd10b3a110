import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.text import TerminalText, format_age, format_bytes, format_seconds, plural, visible

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
    shown = visible("".join(DANGEROUS))
    assert not set(shown) & set(DANGEROUS)
    assert len(shown) == len(DANGEROUS)
    shown.encode()  # no lone surrogate is left


def test_visible_keeps_what_people_write() -> None:
    text = "Grüße, 你好, שלום, \t👩\u200d👩\u200d👧 e\u0301 [/x] \u0645\u06cc\u200c\u062e 🏳\ufe0f"
    assert visible(text) == text


def test_escape_sequence_is_shown_not_obeyed() -> None:
    assert visible("\x1b[31mred") == "\N{SYMBOL FOR ESCAPE}[31mred"


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
    assert visible(whole.replace("\n", "")) == whole.replace("\n", "")


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


def test_plural() -> None:
    assert plural(1, "portion") == "1 portion"
    assert plural(12_288, "portion") == "12,288 portions"
    assert plural(2, "is", "are") == "2 are"


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
