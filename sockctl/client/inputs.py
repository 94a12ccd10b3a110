"""What the client sends: bytes from a pipe, or lines from a terminal."""

import os
import re

from sockctl.errors import StreamError
from sockctl.terminal import LINE_BYTES, STDIN

__all__ = ["CrlfMapper", "LineInput", "PipeInput"]

READ_BYTES = 65_536
EXIT = b"exit"
ESCAPED_EXIT = b"//exit"


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
    """Standard input as it is, to its end.

    Args:
        crlf: Send CR LF for a line feed.
    """

    wanted = True

    def __init__(self, *, crlf: bool) -> None:
        self.ended = False
        self._crlf = CrlfMapper() if crlf else None

    def fileno(self) -> int:
        """Return standard input's descriptor."""
        return STDIN

    def read(self) -> bytes:
        """Return what is there.

        Raises:
            StreamError: It can't be read.
        """
        data = read_input(STDIN, READ_BYTES)
        if data is None:
            return b""
        self.ended = not data
        return self._crlf.feed(data) if self._crlf else data


class LineInput:
    """Lines, until the end of the input (Ctrl-D) or, from a person, ``exit``; ``//exit`` sends the word itself.

    Args:
        crlf: End lines with CR LF.
        descriptor: Where they come from.
        by_hand: Whether a person types them.
    """

    wanted = True

    def __init__(self, *, crlf: bool, descriptor: int = STDIN, by_hand: bool = True) -> None:
        self.ended = False
        self._end = b"\r\n" if crlf else b"\n"
        self._descriptor = descriptor
        self._by_hand = by_hand
        self._line = b""

    @property
    def waiting_bytes(self) -> int:
        """How many bytes there are of a line that isn't complete."""
        return len(self._line)

    def fileno(self) -> int:
        """Return the descriptor that lines come from."""
        return self._descriptor

    def read(self) -> bytes:
        """Return the lines that are complete, with their ends; at the end of the input also one that isn't.

        Raises:
            StreamError: It can't be read.
        """
        lines = self.read_lines()
        last = lines.pop() if self._line and self.ended else b""
        return b"".join(line + self._end for line in lines) + last

    def read_lines(self) -> list[bytes]:
        """Return the lines that are complete, without their ends; at the end of the input also one that isn't.

        Raises:
            StreamError: It can't be read.
        """
        data = read_input(self._descriptor, LINE_BYTES if self._by_hand else READ_BYTES)
        if data is None:
            return []
        if not data:
            self.ended = True
            return [self._line] if self._line else []
        *lines, self._line = (self._line + data).split(b"\n")
        return self._taken(lines) if self._by_hand else lines

    def _taken(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines to send, up to an ``exit``."""
        taken = []
        for line in lines:
            if line.strip() == EXIT:
                self.ended = True
                self._line = b""
                break
            taken.append(EXIT if line.strip() == ESCAPED_EXIT else line)
        return taken


def read_input(descriptor: int, size: int) -> bytes | None:
    """Read from the input once; None where another process made it non-blocking and took what was there.

    Raises:
        StreamError: It can't be read.
    """
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return None
    except OSError as error:
        raise StreamError(f"Standard input can't be read: {error.strerror}. Nothing more was sent.") from error
