"""The rule for names."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.errors import NameRefusedError
from sockctl.protocol.names import MAX_NAME, RESERVED, checked_name, same_name_key


@pytest.mark.parametrize("name", ["a", "Ann", "_x", "9lives", "a.b-c_d", "x" * 32])
def test_names(name: str) -> None:
    assert checked_name(f"  {name}\t") == name


@pytest.mark.parametrize(
    "text", ["", "  ", "a b", ".a", "-a", "x" * 33, "ä", "a\x1b[31m", "a\n", "[/x]", "a\u202eb", "a/b"]
)
def test_what_is_no_name(text: str) -> None:
    if text == "a\n":
        assert checked_name(text) == "a"
        return
    with pytest.raises(NameRefusedError) as caught:
        checked_name(text)
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


@settings(deadline=None)
@given(st.text(st.sampled_from("aZ09_.- \n\u202e\x1bä"), max_size=40) | st.text())
def test_what_is_taken_is_plain(text: str) -> None:
    name = why = ""
    try:
        name = checked_name(text)
    except NameRefusedError as error:
        why = str(error)
    assert why.isprintable()
    if why:
        return
    assert name == text.strip() == checked_name(name)
    assert 1 <= len(name) <= MAX_NAME
    assert set(name) <= set(string.ascii_letters + string.digits + "_.-")
    assert name[0] not in ".-"
    assert same_name_key(name) not in RESERVED


@pytest.mark.parametrize("name", [*sorted(RESERVED), "Admin", "SERVER"])
def test_reserved_names(name: str) -> None:
    with pytest.raises(NameRefusedError, match="reserved"):
        checked_name(name)


def test_the_same_name() -> None:
    assert same_name_key("Ann") == same_name_key("aNN")
    assert same_name_key("ann") != same_name_key("ann_")
