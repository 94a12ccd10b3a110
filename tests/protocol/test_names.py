"""The rule for names."""

import contextlib
import re
import string
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from precis_i18n import get_profile

from sockctl.errors import NameRefusedError
from sockctl.protocol.names import MAX_NAME, RESERVED, check_name, is_name, make_name_key, normalize_name
from sockctl.text import clean, make_visible
from tests.support.names import NAMES, TEXTS

ASCII_RULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
"""The rule of earlier versions."""


@pytest.mark.parametrize("name", ["a", "Ann", "_x", "9lives", "a.b-c_d", "x" * 32])
def test_names(name: str) -> None:
    assert check_name(f"  {name}\t") == name


@pytest.mark.parametrize(
    "name",
    [
        "Иван",
        "José",
        "小明",
        "田中さん",
        "らーめん",
        "ヤマダ2",
        "한국",
        "한國",
        "Ωμέγα",
        "Straße",
        "नमस्ते",
        "क्\u200dष",
        "ไทย",
        "တြွှေ့",
        "می\u200cخواهم",
        "نام۱",
        "אב1",
        "иван-2.б_в",
        "〇〇",
        "ñ" * 32,
    ],
)
def test_names_in_ones_own_letters(name: str) -> None:
    assert check_name(f" {name} ") == unicodedata.normalize("NFC", name)
    assert check_name(unicodedata.normalize("NFD", name)) == unicodedata.normalize("NFC", name)


def test_an_empty_name() -> None:
    with pytest.raises(NameRefusedError, match="can't be empty"):
        check_name("  ")
    assert check_name("a\n") == "a"


@pytest.mark.parametrize(
    "text",
    [
        *["a b", ".a", "-a", "x" * 33, "a\x1b[31m", "[/x]", "a\u202eb", "a/b", "\ud800", "a\u0000"],
        *["é b", ".é", "-é", "é/b", "ж" * 33, "ж" * 100_000, "é\x1b[31m", "é\u202eb", "é@b", "🎉", "l·l", "½", "a²"],
        *[
            "\u0301a",
            "_\u0301",
            "1\u0301",
            "е" + "\u0301\u0302" * 4,
            "a\u200cb",
            "\u200dж",
            "é\u00a0b",
            "ﬁé",
        ],
        *["\u3164", "\u115f", "\u034fé", "é\ufe0f", "\U000e0041é", "é\ue000", "é\u0378", "Ⅷé"],
    ],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(
        NameRefusedError, match="not a name: it has up to 32 letters and digits of one script"
    ) as caught:
        check_name(text)
    assert str(caught.value) == make_visible(str(caught.value))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("anн", "'anн' mixes Latin and Cyrillic letters: write it in one script."),
        ("\u0430dmin", "mixes Cyrillic and Latin letters"),
        ("an小", "mixes Latin and Han letters"),
        ("anー", "mixes Latin and Katakana letters"),
        ("にхо", "mixes Hiragana and Cyrillic letters"),
        ("نام۱1", "mixes digits of two scripts: write them in one."),
        ("1אב", "runs in two directions"),
        ("אב_", "a name from right to left begins with a letter, and ends with a letter or a digit."),
        ("ann٥", "runs in two directions"),
    ],
)
def test_what_does_not_go_together(text: str, why: str) -> None:
    with pytest.raises(NameRefusedError, match=re.escape(why)):
        check_name(text)


@settings(deadline=None)
@given(TEXTS)
def test_what_is_taken_is_a_name(text: str) -> None:
    name = why = ""
    try:
        name = check_name(text)
    except NameRefusedError as error:
        why = str(error)
    assert why == make_visible(why)
    if why:
        return
    assert name == check_name(name)
    assert 1 <= len(name) <= MAX_NAME
    assert {one for one in name if one.isascii()} <= set(string.ascii_letters + string.digits + "_.-")
    assert name[0] not in ".-"
    assert make_name_key(name) not in RESERVED
    assert unicodedata.is_normalized("NFC", name)
    assert clean(name) == make_visible(name) == name
    assert is_name(name)
    assert " " not in name


@settings(deadline=None)
@given(NAMES)
@example("İ")
@example("ΣΑΣ")
@example("ＡＮＮ")
def test_folding_twice_changes_nothing(text: str) -> None:
    name = check_name(text)
    key = make_name_key(name)
    assert make_name_key(key) == key == make_name_key(text.strip())
    assert normalize_name(key) == key
    assert key == get_profile("UsernameCaseMapped").enforce(text.strip())


@settings(deadline=None)
@given(st.text())
def test_any_text_has_a_key_that_stays(text: str) -> None:
    assert make_name_key(make_name_key(text)) == make_name_key(text)


@given(st.from_regex(ASCII_RULE, fullmatch=True))
def test_all_old_names_are_valid_and_stay_as_they_are(name: str) -> None:
    assert normalize_name(name) == name
    assert make_name_key(name) == name.lower()
    with contextlib.suppress(NameRefusedError):
        assert check_name(name) == name
        return
    assert name.lower() in RESERVED


@pytest.mark.parametrize("name", [*sorted(RESERVED), "Admin", "SERVER", "ＡＤＭＩＮ"])
def test_reserved_names(name: str) -> None:
    with pytest.raises(NameRefusedError, match="reserved"):
        check_name(name)


@pytest.mark.parametrize(
    ("name", "reserved"), [("ЅУЅТЕМ", "system"), ("ЅуЅТЕМ", "system"), ("ꓢꓰꓣꓦꓰꓣ", "server"), ("ꓮꓓꓟꓲꓠ", "admin")]
)
def test_names_that_look_reserved(name: str, reserved: str) -> None:
    with pytest.raises(NameRefusedError, match=f"looks like {reserved}, which is reserved"):
        check_name(name)
    assert normalize_name(name) == name


def test_the_same_name() -> None:
    assert make_name_key("Ann") == make_name_key("aNN") == make_name_key("ａｎｎ")
    assert make_name_key("ann") != make_name_key("ann_")
    assert make_name_key("ИВАН") == make_name_key("иван")
    assert make_name_key("Jose\u0301") == make_name_key("JOSÉ") != make_name_key("jose")
    assert make_name_key("ﾔﾏﾀﾞ") == make_name_key("ヤマダ")


def test_names_in_ascii_load_no_library() -> None:
    program = (
        "import sys; before = set(sys.modules); from sockctl.protocol.names import check_name;"
        "from sockctl.protocol.look_alikes import LookAlikes;"
        "looks = LookAlikes(['ann', check_name('Bob')]); assert not looks.find('b0b'); looks.remove('ann');"
        "sys.exit(bool({'precis_i18n', 'confusable_homoglyphs', 'json'} & (set(sys.modules) - before)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
