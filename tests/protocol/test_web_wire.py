"""The messages of a WebSocket client: JSON in text messages; other frames count, and errors wait for their turn."""

import pytest

from sockctl.errors import (
    BadMessageError,
    BadTextError,
    BinaryRefusedError,
    MessageTooLargeError,
    ProtocolError,
    TruncatedMessageError,
    WebSocketError,
)
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import encode_message, make_message
from sockctl.protocol.web_frames import BINARY, CLOSE, PING, PONG, encode_web_frame, translate_frames
from sockctl.protocol.web_wire import WebWire
from sockctl.protocol.wire import Choice
from tests.support.web import encode_client_frame

HI = b'{"kind": "line", "text": "hi"}'


def make_wire(limit_bytes: int = 65_536) -> tuple[WebWire, list[bytes]]:
    replies: list[bytes] = []
    return WebWire(replies.append, limit_bytes=limit_bytes), replies


def test_messages_and_control_frames_count_one_each() -> None:
    wire, replies = make_wire()
    wire.feed(encode_client_frame(HI) + encode_client_frame(b"?", PING) + encode_client_frame(b"", PONG))
    wire.feed(encode_client_frame(b'{"kind":"pong"}') + encode_client_frame(b"\x0f\xa1", CLOSE) + b"junk")
    assert [(one.kind, one.text) for one in wire.decode()] == [
        ("line", "hi"),
        ("pong", ""),
        ("pong", ""),
        ("pong", ""),
        ("bye", ""),
    ]
    assert replies == [encode_web_frame(b"?", PONG)]
    assert wire.close_code == 4001
    assert wire.decode_next() is None
    wire.end()


def test_there_is_no_choice_and_no_greeting() -> None:
    wire, _ = make_wire()
    assert (wire.greeting, wire.choice, wire.choose(b"\0")) == (b"", Choice.FRAMES, b"")


def test_messages_are_encoded_as_for_frames() -> None:
    wire, _ = make_wire()
    one = make_message("say", "grüß dich", sender="ann")
    assert wire.encode(one) == translate_frames(encode_frame(encode_message(one)))
    ping = make_message("ping", "Are you there?")
    told = translate_frames(encode_frame(encode_message(ping)))
    assert wire.encode(ping) == encode_web_frame(b"", PING) + told


@pytest.mark.parametrize(
    ("frame", "error", "close_code"),
    [
        (encode_client_frame(b"\xff"), BadTextError, 1007),
        (encode_client_frame(b"[]"), BadMessageError, 1007),
        (encode_client_frame(b"{}", BINARY), BinaryRefusedError, 1003),
        (encode_client_frame(b"x" * 101), MessageTooLargeError, 1009),
        (b"\xff\xff", WebSocketError, 1002),
    ],
)
def test_errors_wait_for_the_messages_before_them(frame: bytes, error: type[ProtocolError], close_code: int) -> None:
    wire, _ = make_wire(100)
    wire.feed(encode_client_frame(HI) + frame)
    assert len(wire.decode()) == 1
    for call in (wire.decode, wire.decode_next, wire.end):
        with pytest.raises(error) as caught:
            call()
        assert caught.value.close_code == close_code


def test_a_new_limit_holds_for_what_is_not_decoded_yet() -> None:
    wire, _ = make_wire(10)
    wire.feed(encode_client_frame(HI))
    wire.limit_bytes = 100
    one = wire.decode_next()
    assert one is not None
    assert one.text == "hi"
    assert wire.limit_bytes == 100


def test_what_is_skipped_includes_the_rest_of_a_message() -> None:
    wire, _ = make_wire()
    frame = encode_client_frame(HI)
    wire.feed(frame + frame + frame[:9])
    assert wire.skip() == (2, 3)
    wire.feed(frame[9:] + frame)
    assert [one.kind for one in wire.decode()] == ["pong", "line"]


def test_an_end_within_a_message_is_an_error() -> None:
    wire, _ = make_wire()
    wire.feed(encode_client_frame(HI)[:5])
    assert wire.has_partial_frame
    assert wire.has_partial_message
    assert wire.decode() == []
    with pytest.raises(TruncatedMessageError):
        wire.end()
