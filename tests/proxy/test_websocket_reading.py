"""WebSocket frames that pass: each as it is, masks taken off, messages of sockctl without their secrets."""

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from sockctl.protocol.web_frames import BINARY, PING, encode_web_frame
from sockctl.proxy.seen import Seen
from sockctl.proxy.websocket_reading import WebSocketFrame, unmask
from tests.support.inspecting import DIALOGUES, FROM, OPENING, SWITCH, TO, Step, inspect
from tests.support.web import MASK, encode_client_frame, mask


def frames(*steps: Step) -> list[Seen]:
    return inspect([*OPENING, *steps])[2:]


def test_frames_of_both_sides() -> None:
    assert [one.text for one in inspect(DIALOGUES["websocket"])] == [
        "HTTP request GET / at localhost, wants to change to websocket.",
        "HTTP response 101 Switching Protocols, the connection changes to websocket.",
        "WebSocket text frame (32 bytes): Message line: (hidden)",
        "WebSocket text frame (5 bytes): plain",
        "WebSocket binary frame (300 bytes).",
        "WebSocket text frame (not the last, 1 byte).",
        "WebSocket ping frame (1 byte): ?",
        "WebSocket continuation frame (1 byte).",
        "WebSocket close frame (5 bytes), code 1001: bye",
        "WebSocket close frame (2 bytes), code 1001.",
    ]


def test_all_bytes_belong_to_something() -> None:
    steps = DIALOGUES["websocket"]
    assert sum(one.size for one in inspect(steps)) == sum(len(data) for _, data in steps)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 70_000])
def test_any_length(size: int) -> None:
    for towards, frame in ((TO, encode_client_frame(b"a" * size)), (FROM, encode_web_frame(b"a" * size))):
        first, last = frames((towards, frame), (towards, encode_web_frame(b"!", PING)))
        assert isinstance(first, WebSocketFrame)
        assert (first.size, first.payload_bytes, first.masked) == (len(frame), size, towards)
        assert first.content == ("a" * size if 0 < size <= 65_536 else None)
        assert last.text == "WebSocket ping frame (1 byte): !"


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 1_000])
def test_masks_are_taken_off(size: int) -> None:
    payload = bytes(range(256)) * 4
    assert unmask(mask(payload[:size]), MASK) == payload[:size]


def test_passwords_and_tokens_are_hidden() -> None:
    said = [
        (FROM, encode_web_frame(b'{"kind":"ask","field":"x","text":"?","secret":true}')),
        (TO, encode_client_frame(b'{"kind":"answer","field":"x","text":"hunter2"}')),
        (FROM, encode_web_frame(b'{"kind":"token","text":"","token":"hunter2"}')),
        (TO, encode_client_frame(b'{"kind":"resume","token":"hunter2"}')),
        (TO, encode_client_frame(b'{"kind":"answer","field":"password","text":"hunter2"}')),
        (TO, encode_client_frame(b'{"kind":"answer","field":"password","text":"hunter2', fin=False)),
    ]
    seen = frames(*said)
    assert len(seen) == len(said)
    assert "hunter2" not in " ".join(f"{one.text} {one.fields} {one!r}" for one in seen)


def test_compressed_messages_are_named() -> None:
    switch = SWITCH.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    deflate = PerMessageDeflate(
        remote_no_context_takeover=False,
        local_no_context_takeover=False,
        remote_max_window_bits=15,
        local_max_window_bits=15,
    )
    frame = Frame(Opcode.TEXT, b"hello hello hello").serialize(mask=False, extensions=[deflate])
    seen = inspect([OPENING[0], (FROM, switch), (FROM, frame)])[-1]
    assert isinstance(seen, WebSocketFrame)
    assert seen.compressed
    assert seen.text.startswith("WebSocket text frame (compressed, ")
    assert frames((FROM, frame))[-1].kind == "given_up", "nobody has agreed to it"


def test_what_is_no_frame_ends_the_reading() -> None:
    for head in (b"\x83\x00", b"\xa1\x00", b"HT"):
        assert [one.kind for one in frames((FROM, head + bytes(20)))] == ["given_up"]


def test_a_frame_larger_than_ever_comes_is_told_at_once() -> None:
    seen = frames((FROM, bytes((0x82, 127)) + (1 << 62).to_bytes(8)))
    assert seen[0].size == (1 << 62) + 10
    assert seen[1].kind == "cut_off"


def test_json_of_a_frame() -> None:
    (seen,) = frames((FROM, encode_web_frame(b"ab", BINARY)))
    assert seen.fields == {
        "kind": "websocket_frame",
        "bytes": 4,
        "opcode": "binary",
        "final": True,
        "masked": False,
        "compressed": False,
        "payload_bytes": 2,
    }
