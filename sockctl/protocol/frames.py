"""Frames: each message travels as its length in 4 bytes, then its text in UTF-8.

    | 4 bytes: length N, big-endian, unsigned | N bytes: UTF-8 text |

The decoder takes bytes cut anywhere and gives the texts. It refuses a frame beyond the limit as soon as it has the
length, so a claim of 4 GiB allocates nothing. `feed` only stores bytes: `decode` applies the limit that holds at the
time of the call. The decoder removes decoded bytes in large cuts, so a frame costs the same however much is buffered.
"""

import struct

from sockctl.errors import BadTextError, MessageTooLargeError, TruncatedMessageError, UnsendableError

HEADER_BYTES = 4
LIMIT_BYTES = 65_536
"""Bytes of text in a frame at most, unless the caller sets another limit."""
MAX_LIMIT_BYTES = (1 << 24) - 1
"""Below 16 MiB, so that the first byte of a frame is always 0x00, which begins no text."""
BATCH = 1_000
"""Frames decoded at once; more would only fill memory."""

_header = struct.Struct(">I")


def encode_frame(text: str, *, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """Return the frame of `text`: 4-byte big-endian length, then UTF-8.

    Raises:
        UnsendableError: The text is larger than `limit_bytes`, or holds a lone surrogate, which UTF-8 can't carry.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise UnsendableError(
            f"Character {error.start} of the message is a lone surrogate (U+{ord(text[error.start]):04X}), which is no "
            f"text: leave it out."
        ) from error
    if len(data) > min(limit_bytes, MAX_LIMIT_BYTES):
        raise UnsendableError(
            f"The message has {len(data):,} bytes, and {min(limit_bytes, MAX_LIMIT_BYTES):,} may be sent in one: split "
            f"it."
        )
    return _header.pack(len(data)) + data


class FrameDecoder:
    """Decodes bytes to texts. Not thread-safe.

    After an error, each call that decodes raises the error again, because the next frame's start is unknown.

    Args:
        limit_bytes: Bytes of text in a frame at most. A new limit holds for all frames decoded from then on.
    """

    __slots__ = ("_buffer", "_position", "limit_bytes")

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._position = 0

    @property
    def has_partial_message(self) -> bool:
        """Whether bytes of a frame are left; after `decode` has returned all frames, those of an incomplete one."""
        return self._position < len(self._buffer)

    def feed(self, data: bytes | memoryview) -> int:
        """Store bytes; return how many of them are dropped, which is none."""
        self._buffer += data
        return 0

    def decode(self, at_most: int = BATCH) -> list[str]:
        """Return the texts of complete frames, `at_most` so many. An error waits for the texts before it.

        Raises:
            MessageTooLargeError: The next frame is larger than the limit.
            BadTextError: The next frame is not UTF-8.
        """
        texts: list[str] = []
        buffer, position, end = self._buffer, self._position, len(self._buffer)
        limit = min(self.limit_bytes, MAX_LIMIT_BYTES)
        unpack = _header.unpack_from
        while end - position >= HEADER_BYTES and len(texts) < at_most:
            start = position + HEADER_BYTES
            stop = start + unpack(buffer, position)[0]
            if stop - start > limit:
                if not texts:
                    raise _make_size_error(stop - start, limit)
                break
            if stop > end:
                break
            try:
                texts.append(buffer[start:stop].decode())
            except UnicodeDecodeError as error:
                if not texts:
                    raise _make_utf8_error(error) from error
                break
            position = stop
        self._move_to(position)
        return texts

    def count_complete(self) -> int:
        """Return how many complete frames are stored, up to one that is larger than the limit."""
        buffer, position, count = self._buffer, self._position, 0
        limit = min(self.limit_bytes, MAX_LIMIT_BYTES)
        while len(buffer) - position >= HEADER_BYTES:
            size = _header.unpack_from(buffer, position)[0]
            position += HEADER_BYTES + size
            if size > limit or position > len(buffer):
                break
            count += 1
        return count

    def count_missing_bytes(self) -> int:
        """Return how many bytes of the next frame are missing: first of its header, then of its text; 0 for none.

        Raises:
            MessageTooLargeError: The frame is larger than the limit.
        """
        there = len(self._buffer) - self._position
        if there < HEADER_BYTES:
            return HEADER_BYTES - there
        (size,) = _header.unpack_from(self._buffer, self._position)
        limit = min(self.limit_bytes, MAX_LIMIT_BYTES)
        if size > limit:
            raise _make_size_error(size, limit)
        return max(0, HEADER_BYTES + int(size) - there)

    def decode_next(self) -> str | None:
        """Return the text of the next complete frame; None if there is none yet.

        Raises:
            MessageTooLargeError: The frame is larger than the limit.
            BadTextError: The text is not UTF-8.
        """
        if self.count_missing_bytes():
            return None
        buffer = self._buffer
        start = self._position + HEADER_BYTES
        stop = start + _header.unpack_from(buffer, self._position)[0]
        try:
            text = buffer[start:stop].decode()
        except UnicodeDecodeError as error:
            raise _make_utf8_error(error) from error
        self._move_to(stop)
        return text

    def take_rest(self) -> bytes:
        """Return the bytes that are stored, and forget them."""
        rest = bytes(self._buffer[self._position :])
        self._buffer.clear()
        self._position = 0
        return rest

    def end(self) -> None:
        """Note the end of the input, after the caller has decoded all complete frames.

        Raises:
            TruncatedMessageError: The input ended in the middle of a frame.
            MessageTooLargeError, BadTextError: The same error as before, if there was one.
        """
        if self.has_partial_message:
            self.decode_next()
            got = len(self._buffer) - self._position
            raise TruncatedMessageError(f"The input ended in the middle of a frame, after {got:,} bytes of it.")

    def _move_to(self, position: int) -> None:
        """Go on decoding at `position`; remove the bytes before it once they are the larger part."""
        if position * 2 >= len(self._buffer):
            del self._buffer[:position]
            position = 0
        self._position = position


def _make_utf8_error(error: UnicodeDecodeError) -> BadTextError:
    return BadTextError(f"A frame is not UTF-8: {error.reason} at its byte {error.start}.")


def _make_size_error(size: int, limit: int) -> MessageTooLargeError:
    return MessageTooLargeError(f"A frame claims {size:,} bytes, and {limit:,} are allowed.")
