"""Text that passes: in pieces between whole characters, up to the first byte that is none."""

import pytest

from sockctl.proxy.inspector import Inspector
from sockctl.proxy.seen import TEXT_BYTES, Text
from sockctl.proxy.text_reading import is_text
from tests.support.inspecting import DIALOGUES, FROM, TO, count_kinds, inspect, inspect_cut


def test_text_is_what_has_no_other_controls() -> None:
    assert is_text("grüße\t\x1b[1m\r\n".encode())
    assert is_text(b"\xff\xfe")
    for byte in (0, 1, 6, 14, 26, 28, 31, 127):
        assert not is_text(bytes([65, byte]))


def test_text_comes_at_once_but_not_half_a_character() -> None:
    inspector = Inspector()
    shown = [
        b"".join(one.data for one in inspector.inspect(TO, piece) if isinstance(one, Text))
        for piece in (b"Name: gr", b"\xc3", b"\xbc\xf0\x9f", b"\x98", b"\x80!", b"\xe2\x82")
    ]
    assert shown == [b"Name: gr", b"", "ü".encode(), b"", "😀!".encode(), b""]
    (last,) = inspector.end(TO)
    assert isinstance(last, Text)
    assert last.data == b"\xe2\x82"


def test_a_long_piece_is_counted_and_its_beginning_kept() -> None:
    (seen,) = inspect([(TO, b"a" * 10_000)])
    assert isinstance(seen, Text)
    assert (seen.size, len(seen.data)) == (10_000, TEXT_BYTES)
    assert seen.fields["left_out"] == 10_000 - TEXT_BYTES
    assert seen.text == "Text of 9.8 KiB."


@pytest.mark.parametrize("name", ["text", "starttls"])
def test_something_else_behind_text(name: str) -> None:
    kinds = {
        "text": ["> text", "< text", "> text", "< text", "< bytes"],
        "starttls": ["< text", "> text", "< text", "> tls_record", "< tls_record"],
    }
    assert count_kinds(inspect(DIALOGUES[name])) == kinds[name]


def test_only_a_service_that_has_greeted_has_its_passwords_hidden() -> None:
    steps = [(FROM, b"Password:\n"), (TO, b"abc\n")]
    assert inspect(steps)[-1].fields["text"] == "abc\n"
    assert inspect([(FROM, b"sockctl/1 auth\n"), *steps])[-1].fields["text"] == "(hidden)"


@pytest.mark.parametrize("towards", [TO, FROM])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "DESCRIBE rtsp://a/ RTSP/1.0\r\nAuthorization: Basic secret\r\n\r\nhello",
            "Authorization: (hidden)\r\n\r\nhello",
        ),
        ("GET /\nCookie:secret\nProxy-Authorization : secret", "\nCookie:(hidden)\nProxy-Authorization : (hidden)"),
        ("hello\r\nSet-Cookie: secret; secret\rX: a", "Set-Cookie: (hidden)\rX: a"),
        ("a cookie for me\n", "a cookie for me\n"),
        ("Cookie:\nsecret", "Cookie:\nsecret"),
    ],
)
def test_headers_that_give_access_are_hidden_in_text(text: str, shown: str, *, towards: bool) -> None:
    (seen,) = inspect([(towards, text.encode())])
    assert seen.fields["text"].endswith(shown)
    if shown != text:
        for size in (1, 2, 7):
            pieces = inspect_cut([(towards, text.encode())], [size] * len(text))
            assert "secret" not in "".join(one.fields["text"] for one in pieces if "text" in one.fields)


def test_a_long_secret_stays_hidden_behind_the_beginning_that_is_shown() -> None:
    steps = [(TO, b"RTSP\n" * 2_000 + b"Cookie: a"), (TO, b"secret" * 2_000), (TO, b"secret\nhello")]
    *_, long, last = [one.fields for one in inspect(steps)]
    assert (long["text"], long["left_out"]) == ("(hidden)", 12_000 - TEXT_BYTES)
    assert last["text"] == "(hidden)\nhello"
