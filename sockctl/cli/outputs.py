"""How the client shows bytes: as they are in a pipe, made safe on a terminal, or as a hex dump."""

from typing import Protocol

from sockctl.cli.terminal import STDOUT, is_terminal, write_all
from sockctl.errors import StreamError
from sockctl.text import TerminalText

__all__ = ["HexOutput", "Output", "PlainOutput", "hex_lines", "open_output"]

HEX_COLUMNS = 16


class Output(Protocol):
    """Where the bytes of a session are shown."""

    in_line: bool
    """Whether the terminal's cursor stands in the middle of a line."""

    def sent(self, data: bytes) -> None:
        """Show what was sent."""
        ...

    def received(self, data: bytes) -> None:
        """Show what was received.

        Raises:
            BrokenPipeError: Nobody reads the output any more.
            StreamError: The output can't be written.
        """
        ...


class PlainOutput:
    """Shows what is received: the bytes themselves, or safe text where standard output is a terminal."""

    def __init__(self) -> None:
        self.in_line = False
        self._text = TerminalText() if is_terminal(STDOUT) else None

    def sent(self, data: bytes) -> None:
        """Show nothing: who typed it knows."""

    def received(self, data: bytes) -> None:
        """Show what was received."""
        if self._text is None:
            _write(data)
            return
        shown = self._text.feed(data)
        if shown:
            self.in_line = not shown.endswith("\n")
            _write(shown.encode())


class HexOutput:
    """Shows both directions as a hex dump with an offset for each."""

    def __init__(self) -> None:
        self.in_line = False
        self._sent = 0
        self._received = 0

    def sent(self, data: bytes) -> None:
        """Show what was sent."""
        _write(hex_lines(">", self._sent, data).encode())
        self._sent += len(data)

    def received(self, data: bytes) -> None:
        """Show what was received."""
        _write(hex_lines("<", self._received, data).encode())
        self._received += len(data)


def open_output(*, hex_dump: bool) -> Output:
    """Return the output for a session."""
    return HexOutput() if hex_dump else PlainOutput()


def hex_lines(direction: str, offset: int, data: bytes) -> str:
    """Return `data` as lines of direction, offset, up to 16 bytes in hex, and their ASCII characters."""
    lines = []
    for start in range(0, len(data), HEX_COLUMNS):
        row = data[start : start + HEX_COLUMNS]
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        characters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)  # noqa: PLR2004  printable ASCII
        lines.append(f"{direction} {offset + start:08x}  {left:<23}  {right:<23}  |{characters}|\n")
    return "".join(lines)


def _write(data: bytes) -> None:
    try:
        write_all(STDOUT, data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StreamError(f"Standard output can't be written: {error.strerror}. The rest is lost.") from error
