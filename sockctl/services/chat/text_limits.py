"""The limits of texts and blocks, and the errors that refuse longer ones."""

from sockctl.errors import TextTooLongError
from sockctl.protocol.said_text import MAX_BLOCK_BYTES, MAX_BLOCK_LINES

MAX_TEXT_BYTES = 4_096
"""Bytes of a text."""
MAX_COMMAND_BYTES = MAX_TEXT_BYTES + 128
"""Bytes of a command: a text in a command may be as long as any other text."""
COLUMNS = 79
"""Columns of an answer to clients that read lines: every usual terminal has so many."""


def fits(text: str, max_bytes: int = MAX_TEXT_BYTES) -> bool:
    """Return whether a text has `max_bytes` bytes at most."""
    return len(text) * 4 <= max_bytes or len(text.encode()) <= max_bytes


def refuse_long(
    text: str, *, what: str = "text", max_bytes: int = MAX_TEXT_BYTES, undone: str = "It was not said."
) -> None:
    """Refuse a text that is too long.

    Args:
        text: The text.
        what: The kind of text, for the error.
        max_bytes: The most bytes.
        undone: The error's last sentence, which says what the chat didn't do.

    Raises:
        TextTooLongError: The text is too long; the error counts characters, and bytes where these are more.
    """
    if not fits(text, max_bytes):
        size = describe_size(text)
        raise TextTooLongError(f"Your {what} has {size}: {_describe_room(text, max_bytes)} {undone}")


def refuse_long_block(lines: list[str]) -> None:
    """Refuse a block that has too many lines or bytes.

    Raises:
        TextTooLongError: The block is too long; the error says how long it is, and how much fits.
    """
    text = "\n".join(lines)
    if len(lines) > MAX_BLOCK_LINES or not fits(text, MAX_BLOCK_BYTES):
        raise TextTooLongError(
            f"Your block has {len(lines):,} lines and {describe_size(text)}: {MAX_BLOCK_LINES} lines and "
            f"{_describe_room(text, MAX_BLOCK_BYTES, unit=' characters')} It was not said."
        )


def describe_size(text: str) -> str:
    """Return the number of characters of a text, and of bytes where these are more."""
    size = _count_bytes(text)
    return f"{len(text):,} characters" + (f" ({size:,} bytes)" if size > len(text) else "")


def _describe_room(text: str, max_bytes: int, *, unit: str = "") -> str:
    """Return how much fits: characters, or bytes and about how many characters like those of the text."""
    size = _count_bytes(text)
    if size == len(text):
        return f"{max_bytes:,}{unit} fit."
    return f"{max_bytes:,} bytes fit, which is about {max_bytes * len(text) // size:,} of such characters."


def _count_bytes(text: str) -> int:
    """Return the bytes of a text. A lone surrogate, which only a block with too many lines still has, counts as one."""
    return len(text.encode(errors="replace"))
