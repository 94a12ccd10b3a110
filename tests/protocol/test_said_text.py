"""Which lines are text, and which give commands."""

import pytest

from sockctl.protocol.said_text import read_text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("hello /me", "hello /me"),
        ("//x /y", "/x /y"),
        ("//", "/"),
        ("///", "//"),
        ("/etc/hosts", "/etc/hosts"),
        ("/etc/hosts is a file", "/etc/hosts is a file"),
        ("/me/x", "/me/x"),
        ("/quit/", "/quit/"),
        ("/ hello", "/ hello"),
        ("/ /quit", "/ /quit"),
        ("/\tx", "/\tx"),
        ("/", None),
        ("/quit", None),
        ("/me /etc/hosts", None),
        ("/usr", None),
    ],
)
def test_what_is_text_and_no_command(line: str, text: str | None) -> None:
    assert read_text(line) == text
