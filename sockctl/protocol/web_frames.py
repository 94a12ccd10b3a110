"""WebSocket frames of a server (RFC 6455, section 5.2): unmasked, so the same bytes serve every client.

| FIN and opcode: 1 byte | length N: 1, 3 or 9 bytes, big-endian | N bytes |
"""

import struct

from sockctl.protocol.frames import HEADER_BYTES

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
CONTROL = 0x8
"""The bit of the opcode that marks a control frame."""
FIN = 0x80
SHORT_BYTES, LONG_BYTES = 125, 65_535
"""The longest payloads whose length takes 1 byte, and 3 bytes."""
MESSAGE_BYTES = 16_777_216
"""Bytes of a message at most where a message is no JSON object: of `serve echo`, and of the client."""
MAX_REASON_BYTES = SHORT_BYTES - 2
"""A control frame has a short payload, and a Close frame's begins with its code."""
NO_CODE = 1005
"""Stands for a Close frame without a code; no frame carries it (section 7.4.1)."""

_long, _longest, _code = struct.Struct(">BBH"), struct.Struct(">BBQ"), struct.Struct(">H")
_length = struct.Struct(">I")


def encode_web_frame(data: bytes | memoryview, opcode: int = TEXT) -> bytes:
    """Return the frame of a whole message, or of a control frame."""
    return _make_header(len(data), FIN | opcode) + data


def _make_header(size: int, head: int) -> bytes:
    if size <= SHORT_BYTES:
        return bytes((head, size))
    if size <= LONG_BYTES:
        return _long.pack(head, SHORT_BYTES + 1, size)
    return _longest.pack(head, SHORT_BYTES + 2, size)


def encode_close(code: int, reason: str = "") -> bytes:
    """Return a Close frame; a reason that is too long is cut between characters."""
    if code == NO_CODE:
        return encode_web_frame(b"", CLOSE)
    text = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore").encode()
    return encode_web_frame(_code.pack(code) + text, CLOSE)


def translate_frames(frames: bytes) -> bytes:
    """Return messages that were encoded as frames (`sockctl.protocol.frames`) as WebSocket messages with their texts.

    A service encodes what it says to many clients once, in frames; this gives the bytes for its WebSocket clients.
    """
    unpack = _length.unpack_from
    position, end = 0, len(frames)
    parts: list[bytes] = []
    while position < end:
        start = position + HEADER_BYTES
        (size,) = unpack(frames, position)
        position = start + size
        parts += _make_header(size, FIN | TEXT), frames[start:position]
    return b"".join(parts)
