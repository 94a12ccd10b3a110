"""WebSocket frames of a server: byte for byte as `websockets` makes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode

from sockctl.protocol.frames import encode_frame
from sockctl.protocol.web_frames import (
    BINARY,
    CLOSE,
    NO_CODE,
    PING,
    TEXT,
    encode_close,
    encode_web_frame,
    translate_frames,
)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_every_length_is_written_in_its_form(size: int, opcode: int) -> None:
    data = b"x" * size
    expected = Frame(Opcode(opcode), data).serialize(mask=False)
    assert encode_web_frame(data, opcode) == encode_web_frame(memoryview(data), opcode) == expected


def test_control_frames() -> None:
    assert encode_web_frame(b"", PING) == b"\x89\x00"
    assert encode_close(1001, "server_stopping") == Frame(
        Opcode(CLOSE), Close(1001, "server_stopping").serialize()
    ).serialize(mask=False)
    assert encode_close(NO_CODE) == b"\x88\x00"


def test_a_long_reason_is_cut_between_characters() -> None:
    frame = encode_close(1000, "ü" * 100)
    assert len(frame) == 2 + 2 + 122
    assert frame[4:].decode() == "ü" * 61


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), max_size=8))
def test_frames_become_websocket_messages_of_the_same_texts(texts: list[str]) -> None:
    translated = translate_frames(b"".join(map(encode_frame, texts)))
    assert translated == b"".join(encode_web_frame(text.encode()) for text in texts)
