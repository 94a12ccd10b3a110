"""Lines: the messages of whoever types, or scripts with nc or telnet. LF or CR LF ends one; UTF-8.

A line has the same limit as a frame. Telnet's commands (RFC 854: IAC, with WILL, WON'T, DO or DON'T and an option, or a
subnegotiation) are dropped wherever they were cut; their bytes can't stand in UTF-8, so no text is lost by that.
"""

from sockctl.errors import BadTextError, MessageTooLargeError
from sockctl.protocol.frames import BATCH, LIMIT_BYTES

__all__ = ["LineDecoder"]

_IAC = 0xFF
_WILL, _DONT = 0xFB, 0xFE
_SB, _SE = 0xFA, 0xF0
_COMPACT_BYTES = 65_536


class LineDecoder:
    """Makes lines of bytes. Not thread-safe. Its methods mean what those of `FrameDecoder` mean.

    Args:
        limit_bytes: Bytes in a line at most, its end not counted; may be changed at any time.
    """

    __slots__ = ("_buffer", "_position", "_searched", "_telnet", "limit_bytes")

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._buffer = bytearray()
        self._position = 0
        self._searched = 0  # up to here there is no line feed: a long line that comes in pieces is searched once
        self._telnet = _TelnetFilter()

    @property
    def in_message(self) -> bool:
        """Whether a line has begun; asked after `take`, whether it is incomplete."""
        return self._position < len(self._buffer)

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes as they came."""
        self._buffer += self._telnet.feed(data)

    def take(self) -> list[str]:
        """Return complete lines without their ends, up to 1,000; those before an error first.

        Raises:
            MessageTooLargeError: The next line is larger than the limit, whether it is complete or not.
            BadTextError: The next line is not UTF-8.
        """
        lines: list[str] = []
        try:
            while len(lines) < BATCH and (line := self.next()) is not None:
                lines.append(line)
        except (MessageTooLargeError, BadTextError):
            if not lines:
                raise
        return lines

    def next(self) -> str | None:
        """Return the next complete line without its end; None if there is none yet.

        Raises:
            MessageTooLargeError: It is larger than the limit, whether it is complete or not.
            BadTextError: It is not UTF-8.
        """
        buffer, position = self._buffer, self._position
        end = buffer.find(b"\n", max(position, self._searched))
        if end < 0:
            self._searched = len(buffer)
            self._check_size(len(buffer) - position - buffer.endswith(b"\r"))
            return None
        line = self._decoded(position, end)
        self._position = end + 1
        if self._position == len(buffer) or self._position >= _COMPACT_BYTES:
            del buffer[: self._position]
            self._position = self._searched = 0
        return line

    def end(self) -> str | None:
        """Return the last line if it has no end, after everything complete was taken.

        Raises:
            BadTextError: It is not UTF-8.
        """
        if not self.in_message:
            return None
        line = self._decoded(self._position, len(self._buffer))
        self._buffer.clear()
        self._position = self._searched = 0
        return line

    def _decoded(self, start: int, end: int) -> str:
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
    """Drops telnet's commands from a stream of bytes; keeps where it is in one between two pieces."""

    __slots__ = ("_command", "_in_subnegotiation")

    def __init__(self) -> None:
        self._command = b""  # an incomplete command: IAC, or IAC and a verb that takes an option
        self._in_subnegotiation = False

    def feed(self, data: bytes | memoryview) -> bytes | bytearray:
        """Return `data` without the commands in it."""
        data = bytes(data)  # a memoryview is searched byte by byte, which takes ten times as long as this copy
        if not self._command and not self._in_subnegotiation and _IAC not in data:
            return data
        kept = bytearray()
        position = 0
        while position < len(data):
            if self._command:
                self._go_on(data[position])
                position += 1
                continue
            command = data.find(_IAC, position)
            stop = len(data) if command < 0 else command
            if not self._in_subnegotiation:
                kept += data[position:stop]
            if command >= 0:
                self._command = bytes([_IAC])
            position = stop + 1
        return kept

    def _go_on(self, byte: int) -> None:
        if len(self._command) == 1 and _WILL <= byte <= _DONT:
            self._command += bytes([byte])  # the option comes next
            return
        if len(self._command) == 1:
            self._in_subnegotiation = byte == _SB or (self._in_subnegotiation and byte != _SE)
        self._command = b""
