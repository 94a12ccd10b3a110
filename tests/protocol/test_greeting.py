"""The greeting line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.protocol.greeting import MAX_GREETING_BYTES, PREFIX, make_greeting, may_become_greeting, parse_greeting


def test_both_ways() -> None:
    assert make_greeting("talk") == b"sockctl/1 talk\r\n"
    assert parse_greeting(make_greeting("talk")) == (1, "talk")
    assert parse_greeting(b"sockctl/12 other-service\n") == (12, "other-service")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"sockctl/ talk\r\n",
        b"sockctl/1\r\n",
        b"sockctl/1 Talk\r\n",
        b"ssh-2\r\n",
        b"sockctl/1 talk",
        b"sockctl/1 talk\r\nmore",
        b"sockctl/1 talk \r\n",
        b" sockctl/1 talk\r\n",
        b"sockctl/-1 talk\r\n",
        b"sockctl/1 talk\0\r\n",
        b"sockctl/1234567890 talk\r\n",
        b"sockctl/1 " + b"x" * 33 + b"\n",
        "sockctl/\N{ARABIC-INDIC DIGIT ONE} talk\r\n".encode(),
    ],
)
def test_what_is_none(line: bytes) -> None:
    assert parse_greeting(line) is None


def test_the_longest_fits() -> None:
    longest = b"sockctl/999999999 " + b"x" * 32 + b"\r\n"
    assert parse_greeting(longest) == (999_999_999, "x" * 32)
    assert len(longest) <= MAX_GREETING_BYTES


@settings(deadline=None)
@given(st.binary(max_size=70) | st.binary(max_size=60).map(PREFIX.__add__))
def test_junk_is_none_or_one(junk: bytes) -> None:
    found = parse_greeting(junk)
    if found is not None:
        assert junk.rstrip(b"\r\n").startswith(PREFIX)
        assert junk.rstrip(b"\r\n").endswith(b" " + found[1].encode())


def test_every_beginning_may_become_one() -> None:
    whole = make_greeting("talk")
    assert all(may_become_greeting(whole[:end]) for end in range(len(whole)))
    assert may_become_greeting(b"")
    assert may_become_greeting(b"sockctl/".ljust(MAX_GREETING_BYTES - 1, b"x"))
    assert not may_become_greeting(b"sockctl/".ljust(MAX_GREETING_BYTES, b"x"))
    assert not may_become_greeting(b"so what")
    assert not may_become_greeting(b"\0")
    assert not may_become_greeting(b"sockctl/1 " + b"x" * MAX_GREETING_BYTES)
