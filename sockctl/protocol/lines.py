"""Lines: the messages of people who type, and of scripts with nc or telnet. LF or CR LF ends one; UTF-8.

A line has the same limit as a frame. The decoder drops telnet's commands (RFC 854: IAC, with WILL, WON'T, DO or DON'T
and an option, or a subnegotiation), wherever they were cut. No text is lost: UTF-8 has none of their bytes.
"""

import re

from sockctl.errors import BadTextError, MessageTooLargeError
from sockctl.protocol.frames import BATCH, LIMIT_BYTES

_IAC = 0xFF
_COMPACT_BYTES = 65_536
_IAC_SB, _IAC_SE = b"\xff\xfa", b"\xff\xf0"
_VERBS = range(0xFB, 0xFF)
"""WILL, WON'T, DO and DON'T: an option follows."""
_COMPLETE = 2
_COMMAND = re.compile(rb"\xff(?:[\xfb-\xfe][\x00-\xff]|[^\xfa-\xfe])")
_TEXT = re.compile(rb"(?:[^\xff]++|\xff(?:[\xfb-\xfe][\x00-\xff]|[^\xfa-\xfe]))*+")
"""Text and commands, up to a subnegotiation or an incomplete command. The pattern never backtracks."""
_BODY = re.compile(rb"(?:[^\xff]++|\xff(?:[\xfb-\xfe][\x00-\xff]|[^\xf0\xfb-\xfe]))*+")
"""The content of a subnegotiation, up to its end or an incomplete command."""


class LineDecoder:
    """Decodes bytes to lines. Not thread-safe. The methods do for lines what those of `FrameDecoder` do for frames.

    Args:
        limit_bytes: Bytes in a line at most, its end not counted. A new limit holds for all lines decoded from then on.
    """

    __slots__ = ("_buffer", "_position", "_searched", "_telnet", "limit_bytes")

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._position = 0
        self._searched = 0  # up to here there is no line feed: a long line that comes in pieces is searched once
        self._telnet = _TelnetFilter()

    @property
    def has_partial_message(self) -> bool:
        """Whether bytes of a line are left; after `decode` has returned all lines, those of an incomplete one."""
        return self._position < len(self._buffer)

    def feed(self, data: bytes | memoryview) -> int:
        """Store bytes; return how many of them were telnet's."""
        kept = self._telnet.feed(data)
        self._buffer += kept
        return len(data) - len(kept)

    def decode(self, at_most: int = BATCH) -> list[str]:
        """Return complete lines without their ends, `at_most` so many. An error waits for the lines before it.

        Raises:
            MessageTooLargeError: The next line is larger than the limit, whether it is complete or not.
            BadTextError: The next line is not UTF-8.
        """
        lines: list[str] = []
        try:
            while len(lines) < at_most and (line := self.decode_next()) is not None:
                lines.append(line)
        except (MessageTooLargeError, BadTextError):
            if not lines:
                raise
        return lines

    def decode_next(self) -> str | None:
        """Return the next complete line without its end; None if there is none yet.

        Raises:
            MessageTooLargeError: The line is larger than the limit, complete or not.
            BadTextError: The line is not UTF-8.
        """
        buffer, position = self._buffer, self._position
        end = buffer.find(b"\n", max(position, self._searched))
        if end < 0:
            self._searched = len(buffer)
            self._check_size(len(buffer) - position - buffer.endswith(b"\r"))
            return None
        line = self._decode_line(position, end)
        self._position = end + 1
        if self._position == len(buffer) or self._position >= _COMPACT_BYTES:
            del buffer[: self._position]
            self._position = self._searched = 0
        return line

    def end(self) -> str | None:
        """Return the last line if it has no end, after the caller has decoded all complete lines.

        Raises:
            BadTextError: The line is not UTF-8.
        """
        if not self.has_partial_message:
            return None
        line = self._decode_line(self._position, len(self._buffer))
        self._buffer.clear()
        self._position = self._searched = 0
        return line

    def _decode_line(self, start: int, end: int) -> str:
        data = self._buffer[start:end].removesuffix(b"\r")
        self._check_size(len(data))
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise BadTextError(
                f"A line is not UTF-8: {error.reason} at its byte {error.start}. Set your terminal to UTF-8."
            ) from error

    def _check_size(self, size: int) -> None:
        if size > self.limit_bytes:
            raise MessageTooLargeError(f"A line has {size:,} bytes or more, and {self.limit_bytes:,} are allowed.")


class _TelnetFilter:
    """Drops telnet's commands from a stream of bytes, wherever the stream is cut."""

    __slots__ = ("_begun", "_in_subnegotiation")

    def __init__(self) -> None:
        self._begun = b""  # an incomplete command: IAC, or IAC and a verb that takes an option
        self._in_subnegotiation = False

    def feed(self, data: bytes | memoryview) -> bytes | bytearray:
        """Return `data` without the commands in it."""
        data = bytes(data)  # a memoryview is searched byte by byte, which takes ten times as long as this copy
        if not self._begun and not self._in_subnegotiation and _IAC not in data:
            return data
        data, self._begun = self._begun + data, b""
        kept = bytearray()
        position = 0
        while position < len(data):
            if self._in_subnegotiation:
                position = _find_end(_BODY, data, position)
                self._in_subnegotiation = data[position : position + 2] != _IAC_SE
            else:
                start, position = position, _find_end(_TEXT, data, position)
                kept += _COMMAND.sub(b"", data[start:position])
                self._in_subnegotiation = data[position : position + 2] == _IAC_SB
            if len(data) - position < _COMPLETE or data[position + 1] in _VERBS:
                self._begun = data[position:]
                break
            position += 2
        return kept


def _find_end(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    match = pattern.match(data, position)
    return match.end() if match is not None else position
