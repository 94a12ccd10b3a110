"""The meaning of the input: bytes as they are in a pipe, or lines."""

import re

from sockctl.errors import SockctlError

EXIT = b"exit"
ESCAPED_EXIT = b"//exit"


def as_text(line: bytes) -> bytes:
    """Return a line that would end the session, ``exit`` or ``/quit``, as one that says so."""
    return b"/" + line.lstrip() if line.lstrip().startswith(b"/") else line.replace(EXIT, ESCAPED_EXIT)


class CrlfMapper:
    """Makes CR LF of every line feed that has no CR before it, wherever the bytes were cut."""

    def __init__(self) -> None:
        self._before = b""

    def feed(self, data: bytes) -> bytes:
        """Return `data` with its line ends mapped."""
        mapped = re.sub(rb"(?<!\r)\n", b"\r\n", self._before + data)[len(self._before) :]
        if data:
            self._before = b"\r" if data.endswith(b"\r") else b""
        return mapped


class PipeInput:
    """Bytes as they are, to their end.

    Args:
        crlf: Send CR LF for a line feed.

    Attributes:
        ended: Whether the input has ended.
        failure: None: all bytes can be sent.
    """

    failure: SockctlError | None = None

    def __init__(self, *, crlf: bool) -> None:
        self.ended = False
        self._crlf = CrlfMapper() if crlf else None

    def feed_raw(self, data: bytes) -> bytes:
        """Return the bytes to send for `data`; no data means the end."""
        self.ended = not data
        return self._crlf.feed(data) if self._crlf else data


class LineInput:
    """Lines, until the end of the input (Ctrl-D) or, from a person, ``exit``; ``//exit`` sends the word itself.

    Args:
        crlf: End lines with CR LF.
        by_hand: Whether a person types them.

    Attributes:
        ended: Whether the input has ended.
        failure: The error of the line at which `fail` has ended the input; else None.
        open: The line that has no end yet.
    """

    def __init__(self, *, crlf: bool, by_hand: bool = True) -> None:
        self.ended = False
        self.failure: SockctlError | None = None
        self.open = b""
        self._line_end = b"\r\n" if crlf else b"\n"
        self._by_hand = by_hand

    def fail(self, error: SockctlError) -> None:
        """End the input at a line that can't be sent. The session fails with `error` when its answers have come."""
        self.ended, self.failure, self.open = True, error, b""

    def feed_raw(self, data: bytes) -> bytes:
        """Return the bytes to send for `data`, as lines with their ends; no data means the end, and a last line."""
        end = self._line_end if data else b""
        return b"".join([line + end for line in self.feed(data)])

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete, without their ends; no data means the end, and a last line."""
        if not data:
            self.ended = True
            last, self.open = self.open, b""
            return [last] if last else []
        *lines, self.open = (self.open + data).split(b"\n")
        return self._cut_at_exit(lines) if self._by_hand else lines

    def _cut_at_exit(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines to send, up to an ``exit``."""
        sent = []
        for line in lines:
            if line.strip() == EXIT:
                self.ended = True
                self.open = b""
                break
            sent.append(line.replace(ESCAPED_EXIT, EXIT) if line.strip() == ESCAPED_EXIT else line)
        return sent
