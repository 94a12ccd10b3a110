"""The greeting line."""

import pytest

from sockctl.protocol.greeting import MAX_GREETING_BYTES, greeting, may_become_greeting, parse_greeting


def test_both_ways() -> None:
    assert greeting("talk") == b"sockctl/1 talk\r\n"
    assert parse_greeting(greeting("talk")) == (1, "talk")
    assert parse_greeting(b"sockctl/12 other-service\n") == (12, "other-service")


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"sockctl/ talk\r\n", b"sockctl/1\r\n", b"sockctl/1 Talk\r\n", b"ssh-2\r\n"]
)
def test_what_is_none(line: bytes) -> None:
    assert parse_greeting(line) is None


def test_every_beginning_may_become_one() -> None:
    whole = greeting("talk")
    assert all(may_become_greeting(whole[:end]) for end in range(len(whole)))
    assert not may_become_greeting(b"so what")
    assert not may_become_greeting(b"sockctl/1 " + b"x" * MAX_GREETING_BYTES)
