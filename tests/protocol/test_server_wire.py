"""The server's side: the choice, what is said again, and what is discarded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.errors import (
    BadMessageError,
    HttpRefusedError,
    LateHelloError,
    MessageTooLargeError,
    ProtocolError,
    TruncatedMessageError,
)
from sockctl.protocol.messages import Message, message
from sockctl.protocol.server_wire import Choice, ServerWire
from tests.frames import framed
from tests.protocol.test_frames import cuts, pieces

HELLO = framed(kind="hello", client="test")
said = st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=20), max_size=6)


def feed(wire: ServerWire, data: bytes) -> bytes:
    """Do what a server does with input; return what it must send at once."""
    if not data:
        return b""
    reply = wire.choose(data)
    wire.feed(data)
    return reply


@settings(deadline=None)
@given(said, cuts, st.booleans())
def test_any_cuts_give_the_same_messages(texts: list[str], sizes: list[int], one_by_one: bool) -> None:
    wire = ServerWire("test")
    wire.encode(message("notice", "before"))
    sent = [Message({"kind": "line", "text": text}) for text in texts]
    heard: list[Message] = []
    replies = b""
    for piece in pieces(HELLO + b"".join(framed(kind="line", text=text) for text in texts), sizes):
        replies += feed(wire, piece)
        if one_by_one:
            one = wire.next()
            heard += [one] if one else []
        else:
            heard += wire.take()
    heard += wire.take()
    assert heard == [Message({"kind": "hello", "client": "test"}), *sent]
    assert replies == b'\0\0\0\x21{"kind":"notice","text":"before"}'
    assert wire.choice is Choice.FRAMES
    assert wire.end() is None


@settings(deadline=None)
@given(st.binary(max_size=80) | st.binary(max_size=20).map(lambda junk: HELLO + junk), cuts)
def test_junk_is_an_error_or_messages(junk: bytes, sizes: list[int]) -> None:
    wire = ServerWire("test", limit_bytes=50)
    failed = False
    for piece in pieces(junk, sizes):
        feed(wire, piece)
        try:
            while wire.take():
                pass
        except ProtocolError:
            failed = True
        else:
            assert not failed
    try:
        wire.end()
    except ProtocolError:
        return


def test_lines() -> None:
    wire = ServerWire("test")
    assert wire.greeting == b"sockctl/1 test\r\n"
    assert wire.encode(message("say", "hi", sender="ann")) == b"<ann> hi\r\n"
    assert feed(wire, b"one\r\ntw") == b""
    assert wire.choice is Choice.LINES
    assert wire.take() == [message("line", "one")]
    assert not wire.in_frame
    assert wire.end() == message("line", "tw")
    assert wire.encode(message("say", "bye")) == b"bye\r\n"


def test_frames_say_everything_again_once() -> None:
    wire = ServerWire("test")
    for number in range(3):
        wire.encode(message("notice", str(number)))
    reply = feed(wire, HELLO)
    assert reply == b"".join(b'\0\0\0\x1c{"kind":"notice","text":"%d"}' % number for number in range(3))
    assert feed(wire, HELLO) == b""
    assert wire.encode(message("notice", "3")) == b'\0\0\0\x1c{"kind":"notice","text":"3"}'


def test_too_much_to_say_again() -> None:
    wire = ServerWire("test")
    choices = []
    for size in (16_000, 400):
        wire.encode(message("notice", "x" * size))
        choices.append(wire.choice)
    assert choices == [Choice.UNDECIDED, Choice.LINES]
    assert feed(wire, HELLO + b"\n") == b""
    with pytest.raises(LateHelloError):
        wire.take()


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST /x?y HTTP/1.0", b"PRI * HTTP/2.0"])
def test_a_web_page_is_refused(line: bytes, size: int) -> None:
    wire = ServerWire("test")
    data = line + b"\r\nHost: x\r\n\r\nhello\r\n"
    heard: list[Message] = []

    def hear() -> None:
        for start in range(0, len(data), size):
            feed(wire, data[start : start + size])
            heard.extend(wire.take())

    with pytest.raises(HttpRefusedError):
        hear()
    assert heard == []
    with pytest.raises(HttpRefusedError):
        wire.next()


def test_only_the_first_line_can_be_http() -> None:
    wire = ServerWire("test")
    feed(wire, b"hello\nGET / HTTP/1.1\n")
    assert len(wire.take()) == 2


@pytest.mark.parametrize("frames", [True, False])
def test_skipping_takes_the_rest_of_a_message_with_it(frames: bool) -> None:
    def coded(text: str) -> bytes:
        return framed(kind="line", text=text) if frames else f"{text}\n".encode()

    wire = ServerWire("test")
    half = coded("half")
    feed(wire, (HELLO if frames else b"") + coded("one") + coded("two") + half[:3])
    if frames:
        wire.next()
    assert wire.next() == message("line", "one")
    wire.skip()
    feed(wire, half[3:] + coded("three"))
    assert wire.next() == message("line", "three")
    wire.skip()
    feed(wire, coded("four"))
    assert wire.take() == [message("line", "four")]
    feed(wire, half[:3])
    wire.skip()
    if frames:
        with pytest.raises(TruncatedMessageError):
            wire.end()
    else:
        assert wire.end() is None


def test_good_ones_before_a_bad_one() -> None:
    wire = ServerWire("test")
    feed(wire, HELLO + framed(text="no kind") + HELLO)
    assert [one.kind for one in wire.take()] == ["hello"]
    for _ in range(2):
        with pytest.raises(BadMessageError):
            wire.take()
        with pytest.raises(BadMessageError):
            wire.next()


def test_the_limit_carries_over_to_frames() -> None:
    wire = ServerWire("test", limit_bytes=100)
    feed(wire, b"\0\0\0\x65")
    with pytest.raises(MessageTooLargeError):
        wire.take()
    wire = ServerWire("test")
    wire.limit_bytes = 10
    assert wire.limit_bytes == 10
    feed(wire, b"x" * 11)
    with pytest.raises(MessageTooLargeError):
        wire.next()


def test_whether_a_frame_has_begun() -> None:
    wire = ServerWire("test")
    feed(wire, HELLO + b"\0")
    wire.take()
    assert wire.in_frame
