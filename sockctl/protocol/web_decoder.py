"""Decodes WebSocket frames (RFC 6455, section 5), in fragments or whole, cut anywhere. Those of a client are masked.

As for other wires, `feed` only stores bytes: `decode` applies the limit that holds at the time of the call, as soon as
it has a frame's header. Each frame counts, those that complete no message included: so a flood of any kind costs its
client budget. The decoder of `websockets` decodes whatever it is fed, at once, and its tests are the measure for this
one: both give the same for any bytes (`tests/protocol/test_web_decoder.py`).
"""

import struct

from websockets.exceptions import ProtocolError as CloseError
from websockets.frames import Close

from sockctl.errors import BadTextError, MessageTooLargeError, TruncatedMessageError, WebSocketError
from sockctl.protocol.frames import BATCH, LIMIT_BYTES
from sockctl.protocol.web_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    CONTROL,
    FIN,
    NO_CODE,
    PING,
    PONG,
    SHORT_BYTES,
    TEXT,
)

try:
    from websockets.speedups import apply_mask
except ImportError:  # an installation without a compiler
    from websockets.utils import apply_mask

MASK_BYTES = 4
SHORT_HEADER, LONG_HEADER, LONGEST_HEADER = 6, 8, 14
"""Bytes of a masked frame's header, by the form of its length."""
_RESERVED, _OPCODE, _MASKED, _SIZE = 0x70, 0x0F, 0x80, 0x7F
_OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_WHOLE = frozenset({FIN | TEXT, FIN | BINARY})
"""The first byte of a message in one frame, as nearly all are."""
_long, _longest = struct.Struct(">H"), struct.Struct(">Q")

WebFrame = tuple[int, bytes]
"""An opcode and a payload. TEXT and BINARY: a whole message. CONTINUATION: a fragment, which completes none yet."""


class WebDecoder:
    """Decodes bytes to messages and control frames. Not thread-safe.

    After an error, each call that decodes raises the error again. Nothing follows a Close frame.

    Args:
        limit_bytes: Bytes of a message at most, all fragments together.
        masked: Whether a client sends the frames; a server's aren't masked.
    """

    __slots__ = ("_buffer", "_closed", "_fragments", "_mask_bit", "_opcode", "_position", "limit_bytes")

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES, masked: bool = True) -> None:
        self.limit_bytes = limit_bytes
        self._mask_bit = _MASKED if masked else 0
        self._buffer = bytearray()
        self._position = 0
        self._opcode = CONTINUATION  # of the message whose first fragments have come; else CONTINUATION
        self._fragments = bytearray()
        self._closed = False

    @property
    def has_partial_message(self) -> bool:
        """Whether bytes of a frame or message are left; asked when all complete frames are decoded."""
        return self._position < len(self._buffer) or self._opcode != CONTINUATION

    @property
    def kept_bytes(self) -> int:
        """Bytes of a frame or message that are kept."""
        return len(self._buffer) - self._position + len(self._fragments)

    def feed(self, data: bytes | memoryview) -> None:
        """Store bytes."""
        if not self._closed:
            self._buffer += data

    def decode_alone(self, data: memoryview) -> WebFrame | None:
        """Return the message of which `data` is the one, whole, masked frame; None where `decode` must look at it.

        The usual case, in a fraction of the time: nothing is stored, and nothing waits.
        """
        size = len(data) - SHORT_HEADER
        if size < 0 or data[1] != _MASKED | size or size > SHORT_BYTES or data[0] not in _WHOLE:
            return None
        if self._buffer or self._opcode or self._closed:
            return None
        return data[0] & _OPCODE, apply_mask(data[SHORT_HEADER:], bytes(data[2:SHORT_HEADER]))

    def decode(self, at_most: int = BATCH) -> list[WebFrame]:
        """Return the complete frames, `at_most` so many. An error waits for the frames before it.

        Raises:
            WebSocketError: The next frame breaks RFC 6455.
            MessageTooLargeError: The next frame's message is larger than the limit.
            BadTextError: The reason of a Close frame is not UTF-8.
        """
        frames: list[WebFrame] = []
        buffer, position, end, mask_bit = self._buffer, self._position, len(self._buffer), self._mask_bit
        header = SHORT_HEADER if mask_bit else SHORT_HEADER - MASK_BYTES
        short = mask_bit | min(SHORT_BYTES, self.limit_bytes)
        try:
            while len(frames) < at_most and end - position > 1:
                head, second = buffer[position], buffer[position + 1]
                start = position + header
                stop = start + (second & _SIZE)
                if head in _WHOLE and mask_bit <= second <= short and stop <= end and not self._opcode:  # nearly all
                    frames.append((head & _OPCODE, self._unmask(start, stop)))
                    position = stop
                elif (found := self._decode_any(position)) is None:
                    break
                else:
                    frames.append(found[0])
                    position = found[1]
        except (WebSocketError, MessageTooLargeError, BadTextError):
            if not frames:
                raise
        self._move_to(position)
        return frames

    def _decode_any(self, position: int) -> tuple[WebFrame, int] | None:
        """Return a frame of any kind, and where the next one begins; None if the frame is incomplete."""
        buffer, end = self._buffer, len(self._buffer)
        head, second = buffer[position], buffer[position + 1]
        self._check_header(head, second)
        unmasked = 0 if self._mask_bit else MASK_BYTES  # so much shorter is a header without a mask
        opcode, size, start = head & _OPCODE, second & _SIZE, position + SHORT_HEADER - unmasked
        if size > SHORT_BYTES:
            long = size == SHORT_BYTES + 1
            start = position + (LONG_HEADER if long else LONGEST_HEADER) - unmasked
            if end < start - (MASK_BYTES - unmasked):
                return None
            (size,) = (_long if long else _longest).unpack_from(buffer, position + 2)
        if opcode < CONTROL and size + len(self._fragments) > self.limit_bytes:
            raise _make_size_error(size + len(self._fragments), self.limit_bytes)
        if start + size > end:
            return None
        frame = self._read(head, self._unmask(start, start + size))
        self._closed = opcode == CLOSE
        return frame, end if self._closed else start + size

    def _unmask(self, start: int, stop: int) -> bytes:
        data = self._buffer[start:stop]
        return apply_mask(data, self._buffer[start - MASK_BYTES : start]) if self._mask_bit else bytes(data)

    def decode_next(self) -> WebFrame | None:
        """Return the next complete frame, or None if there is none yet; raises what `decode` raises."""
        frames = self.decode(1)
        return frames[0] if frames else None

    def end(self) -> None:
        """Note the end of the input, after the caller has decoded all complete frames.

        Raises:
            TruncatedMessageError: The input ended in the middle of a frame or a message.
        """
        if self.has_partial_message and not self._closed:
            raise TruncatedMessageError("The input ended in the middle of a WebSocket message.")

    def _check_header(self, head: int, second: int) -> None:
        opcode, size = head & _OPCODE, second & _SIZE
        if head & _RESERVED:
            raise WebSocketError("A WebSocket frame has a reserved bit set, and no extension was agreed on.")
        if opcode not in _OPCODES:
            raise WebSocketError(f"A WebSocket frame has the opcode {opcode}, which has no meaning.")
        if second & _MASKED != self._mask_bit:
            whose = "client isn't" if self._mask_bit else "server is"
            raise WebSocketError(f"A WebSocket frame of a {whose} masked.")
        if opcode & CONTROL:
            if not head & FIN or size > SHORT_BYTES:
                raise WebSocketError("A control frame of WebSocket is whole, and has 125 bytes at most.")
        elif (opcode == CONTINUATION) == (self._opcode == CONTINUATION):
            begun = "has not begun" if opcode == CONTINUATION else "is not complete yet"
            raise WebSocketError(f"A WebSocket frame doesn't fit: the message before {begun}.")

    def _read(self, head: int, data: bytes) -> WebFrame:
        """Return what a frame gives."""
        opcode = head & _OPCODE
        if opcode == CLOSE:
            parse_close(data)
        elif opcode in {TEXT, BINARY}:
            if head & FIN:
                return opcode, data
            self._opcode = opcode
            self._fragments += data
            return CONTINUATION, b""
        elif opcode == CONTINUATION:
            self._fragments += data
            if not head & FIN:
                return CONTINUATION, b""
            opcode, data = self._opcode, bytes(self._fragments)
            self._opcode, self._fragments = CONTINUATION, bytearray()
        return opcode, data

    def _move_to(self, position: int) -> None:
        """Go on decoding at `position`; remove the bytes before it once they are the larger part."""
        if position == len(self._buffer):
            self._buffer.clear()
            position = 0
        elif position > len(self._buffer) // 2:
            del self._buffer[:position]
            position = 0
        self._position = position


def parse_close(data: bytes) -> int:
    """Return the code in a Close frame's payload; NO_CODE where it has none.

    Raises:
        WebSocketError: The code may not be sent, or is cut off.
        BadTextError: The reason is not UTF-8.
    """
    try:
        return int(Close.parse(data).code) if data else NO_CODE
    except CloseError as error:
        raise WebSocketError(f"A Close frame can't be understood: {error}.") from error
    except UnicodeDecodeError as error:
        raise BadTextError("The reason in a Close frame is not UTF-8.") from error


def _make_size_error(size: int, limit: int) -> MessageTooLargeError:
    return MessageTooLargeError(f"A message of {size:,} bytes is too large: {limit:,} are allowed.")
