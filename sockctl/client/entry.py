"""An entry of a person in the line editor: a line, or a block of several lines."""

from typing import NamedTuple

from sockctl.protocol.said_text import MAX_BLOCK_BYTES, MAX_BLOCK_LINES
from sockctl.text import clean, make_visible


class Entry(NamedTuple):
    """An entry.

    Attributes:
        text: The text as it was entered, with line feeds, without empty lines behind it.
    """

    text: str

    @classmethod
    def of(cls, text: str) -> "Entry":
        """Return the entry that a text makes."""
        return cls(text.rstrip("\n") if "\n" in text else text)

    @property
    def lines(self) -> list[str]:
        """The lines."""
        return self.text.split("\n")

    @property
    def is_block(self) -> bool:
        """Whether it has several lines: none of them is a command."""
        return "\n" in self.text

    @property
    def is_too_large(self) -> bool:
        """Whether it is larger than a block may be."""
        return self.is_block and (
            self.text.count("\n") >= MAX_BLOCK_LINES or len(self.text.encode(errors="replace")) > MAX_BLOCK_BYTES
        )

    def describe_excess(self) -> str:
        """Return how large the block is, and how large it may be, for the error of one that is too large."""
        return (
            f"Not sent: {len(self.lines):,} lines with {len(self.text):,} characters. A block may have "
            f"{MAX_BLOCK_LINES} lines, and {MAX_BLOCK_BYTES:,} bytes"
        )


def show_text(text: str) -> str:
    """Return a text of one line or several as it may stand on a terminal."""
    return "\n".join(make_visible(line) for line in text.split("\n"))


def as_said(line: str) -> str:
    """Return the line with which a chat says a text, whatever the text begins with."""
    text = clean(line)
    return f"/{text}" if text.startswith("/") else text


class Secret(str):
    """A text that was typed hidden. Its repr is without it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return "Secret(…)"
