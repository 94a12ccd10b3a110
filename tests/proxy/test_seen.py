"""Each thing that the proxy recognises is on its help page, with the fields that JSON has of it."""

import re
import sys
from pathlib import Path

import pytest

import sockctl
from sockctl.protocol.frames import encode_frame
from sockctl.proxy import http_heads, message_reading, seen, tls_reading, websocket_reading
from sockctl.proxy.seen import SHOWN_CHARACTERS, Seen, shorten
from tests.support.inspecting import DIALOGUES, OPENING, TO, Step, inspect, make_hellos, record
from tests.support.web import encode_client_frame

PAGE = (Path(sockctl.__file__).parent / "help" / "proxy.md").read_text()
MODULES = (http_heads, message_reading, seen, tls_reading, websocket_reading)
KINDS = {
    one.kind
    for module in MODULES
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, Seen) and one.kind != Seen.kind
}
EVERYTHING = [one for steps in DIALOGUES.values() for one in inspect(steps)]


def measure(value: object) -> int:
    """Return the bytes of memory that a value takes, with all in it."""
    size = sys.getsizeof(value)
    match value:
        case dict():
            return size + sum(measure(name) + measure(inner) for name, inner in value.items())
        case list() | tuple():
            return size + sum(map(measure, value))
    return size


SMALL = b'{"kind":"line","text":"","a":[' + b"{}," * 20_000 + b"{}]}"
GREEDY: dict[str, list[Step]] = {
    "a head": [(TO, b"GET / HTTP/1.1\r\n" + b"a:\n" * 20_000 + b"\n")],
    "a message": [(TO, encode_frame(SMALL.decode()))],
    "a WebSocket message": [*OPENING, (TO, encode_client_frame(SMALL))],
    "a handshake": [(TO, record(22, b"\x63\0\0\0" * 4_000))],
    "text": [(TO, "\U0001f600".encode() * 5_000)],
    "a frame": [(TO, encode_frame("{" + "\U0001f600" * 10_000))],
}


@pytest.mark.parametrize("one", EVERYTHING, ids=lambda one: one.kind)
def test_nothing_takes_more_memory_than_it_says(one: Seen) -> None:
    assert measure(one.fields) <= one.held_bytes


@pytest.mark.parametrize("name", GREEDY)
def test_what_is_made_to_take_memory_takes_no_more_than_it_says(name: str) -> None:
    seen = inspect(GREEDY[name])
    assert sum(measure(one.fields) for one in seen) <= sum(one.held_bytes for one in seen)


def documented_fields(kind: str) -> set[str]:
    rows: list[str] = re.findall(
        rf"^\| `{kind}`[^|]* \| (`.*) \|$", PAGE.partition("The fields of `seen`")[2], re.MULTILINE
    )
    return set(re.findall(r"`(\w+)`", " ".join(rows)))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_page_has_every_kind_with_its_fields(kind: str) -> None:
    assert re.search(rf"^\| .*`{kind}`.* \|", PAGE.partition("The fields of `seen`")[0], re.MULTILINE)
    documented = documented_fields(kind)
    for one in EVERYTHING:
        if one.kind == kind:
            assert set(one.fields) - {"kind", "bytes"} <= documented


def test_the_dialogues_have_nearly_every_kind() -> None:
    assert KINDS - {one.kind for one in EVERYTHING} == {"more"}


def test_long_texts_are_cut() -> None:
    assert shorten("a" * SHOWN_CHARACTERS) == "a" * SHOWN_CHARACTERS
    assert shorten("a\nb" + "c" * 1_000, 5) == "a bcc… (998 characters more)"


@pytest.mark.parametrize("name", GREEDY)
def test_a_sentence_is_short(name: str) -> None:
    long = "a" * 20_000
    steps = [(TO, f"GET /{long} HTTP/1.1\r\nHost: {long}\r\nUpgrade: {long}\r\n\r\n".encode()), *make_hellos("a" * 63)]
    for one in inspect(GREEDY[name]) + inspect(steps[:1]) + inspect(steps[1:]):
        assert len(one.text) < 4 * SHOWN_CHARACTERS
        assert all(len(line) < 2 * SHOWN_CHARACTERS for line in one.details)
