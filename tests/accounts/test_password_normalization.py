"""How a password is written."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sockctl.accounts.password_normalization import MAX_BYTES, normalize_password
from sockctl.errors import PasswordRefusedError

MARK = "Zq7ß"
"""What no sentence of ours holds: a password that begins with it is not in one by chance."""
ZWNJ, ZWJ = "\u200c", "\u200d"
KA_VIRAMA = "\u0915\u094d"


@pytest.mark.parametrize(
    ("password", "result"),
    [
        ("Correct Horse", "Correct Horse"),
        ("  two  spaces ", "  two  spaces "),
        ("a\u00a0b\u3000c\u2003d", "a b c d"),
        ("u\u0308ber", "\u00fcber"),
        ("\u212bngstro\u0308m", "\u00c5ngstr\u00f6m"),
        ("\uff41", "\uff41"),
        ("Σς", "Σς"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("πßå", "πßå"),
        ("Jack of ♦s", "Jack of ♦s"),
        (f"{KA_VIRAMA}{ZWNJ}\u0937{KA_VIRAMA}{ZWJ}", f"{KA_VIRAMA}{ZWNJ}\u0937{KA_VIRAMA}{ZWJ}"),
        (f"\u0645\u06cc{ZWNJ}\u062e", f"\u0645\u06cc{ZWNJ}\u062e"),
        ("para\u006c\u00b7\u006cel", "paral·lel"),
        ("\u0375\u03b1", "\u0375\u03b1"),
        ("\u05d0\u05f3\u05d0\u05f4", "\u05d0\u05f3\u05d0\u05f4"),
        ("\u30ab\u30fb\u30ab", "\u30ab\u30fb\u30ab"),
        ("\u0661\u0662", "\u0661\u0662"),
        ("\u06f1\u06f2", "\u06f1\u06f2"),
    ],
)
def test_normalized(password: str, result: str) -> None:
    assert normalize_password(password) == result


@pytest.mark.parametrize(
    ("password", "kind"),
    [
        ("a\tb", "control"),
        ("a\nb", "control"),
        ("a\0b", "control"),
        ("a\x7fb", "control"),
        ("a\x85b", "control"),
        ("a\ud800b", "no text"),
        ("a\ue000b", "private use"),
        ("a\U000e0080b", "doesn't know"),
        ("a\ufdd0b", "doesn't know"),
        ("a\u2028b", "line separator"),
        ("a\u2029b", "paragraph separator"),
        ("a\u00adb", "invisible"),
        ("a\ufeffb", "invisible"),
        ("a\u202eb", "invisible"),
        ("a\u034fb", "invisible"),
        ("\u2764\ufe0f", "emoji"),
        ("\u3164", "invisible"),
        ("\u1100", "Hangul"),
        (f"a{ZWNJ}b", "joiner"),
        (f"{ZWJ}a", "joiner"),
        ("\u0640", "repeating mark"),
        ("a\u00b7l", "its own script"),
        ("\u00b7", "its own script"),
        ("\u0375a", "its own script"),
        ("a\u0375", "its own script"),
        ("\u05f3", "its own script"),
        ("a\u05f4", "its own script"),
        ("a\u30fb", "its own script"),
        ("\u0661\u06f1", "its own script"),
        ("\u06f1\u0661", "its own script"),
    ],
)
def test_what_cannot_be_in_a_password(password: str, kind: str) -> None:
    with pytest.raises(PasswordRefusedError, match=kind) as refused:
        normalize_password(password)
    assert password not in str(refused.value)


def test_a_password_of_characters_that_depend_on_all_others_takes_no_time() -> None:
    digits, dots = "\u0661" * 512, "\u30fb" * 340 + "\u30ab"
    normalize_password(digits)  # loads the library
    began = time.thread_time()
    assert normalize_password(digits) == digits
    assert normalize_password(dots) == dots
    for password in (digits[1:] + "\u06f1", dots[:-1]):
        with pytest.raises(PasswordRefusedError, match="its own script"):
            normalize_password(password)
    assert time.thread_time() - began < 0.1


def test_no_error_carries_the_password() -> None:
    with pytest.raises(PasswordRefusedError) as refused:
        normalize_password("geheim\u2764\ufe0f")
    assert refused.value.__context__ is None


def test_an_empty_password() -> None:
    with pytest.raises(PasswordRefusedError, match="can't be empty"):
        normalize_password("")


def test_the_longest_password() -> None:
    assert normalize_password("é" * (MAX_BYTES // 2)) == "é" * (MAX_BYTES // 2)
    assert normalize_password("\u3000" * MAX_BYTES) == " " * MAX_BYTES
    assert len(normalize_password("\u1f82" * 341)) == 341
    decomposed = unicodedata.normalize("NFD", "\u1f82" * 341)
    assert len(normalize_password(decomposed)) == 341
    for too_long in ("a" * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2) + "a", "a\u0301" * 10_000_000):
        with pytest.raises(PasswordRefusedError, match="too long: it may have 1,024 bytes"):
            normalize_password(too_long)


@given(st.text(st.characters(), max_size=60))
@example("\u2126\u00a0")
def test_it_is_bounded_and_normalized_once(text: str) -> None:
    try:
        result = normalize_password(MARK + text)
    except PasswordRefusedError as error:
        told = str(error)
        assert MARK not in told
        return
    assert len(result.encode()) <= MAX_BYTES
    assert normalize_password(result) == result
    assert unicodedata.is_normalized("NFC", result)


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs")), min_size=1, max_size=60))
def test_both_ways_to_compose_are_one_password(text: str) -> None:
    results = []
    for form in ("NFC", "NFD"):
        try:
            results.append(normalize_password(unicodedata.normalize(form, text)))
        except PasswordRefusedError as error:
            results.append(str(error))
    assert results[0] == results[1]
