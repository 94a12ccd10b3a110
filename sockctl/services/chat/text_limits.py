"""How long a text may be, and what a member is told whose text is longer."""

from sockctl.errors import TextTooLongError

MAX_TEXT_BYTES = 4_096
"""Bytes of a text."""
MAX_COMMAND_BYTES = MAX_TEXT_BYTES + 128
"""Bytes of a command: a text in one may be as long as any other text."""
MAX_BLOCK_BYTES = 16_384
"""Bytes of a block, each line break counted as one."""
MAX_BLOCK_LINES = 200
"""Lines of a block."""
COLUMNS = 79
"""Columns of an answer that clients read as lines: as many as every terminal has."""


def fits(text: str, max_bytes: int = MAX_TEXT_BYTES) -> bool:
    """Return whether a text has so many bytes at most."""
    return len(text) * 4 <= max_bytes or len(text.encode()) <= max_bytes


def refuse_long(
    text: str, *, what: str = "text", max_bytes: int = MAX_TEXT_BYTES, undone: str = "It was not said."
) -> None:
    """Refuse a text that is too long.

    Args:
        text: The text.
        what: What it is.
        max_bytes: Bytes that it may have.
        undone: A sentence that says what didn't happen.

    Raises:
        TextTooLongError: It is too long; the error counts characters, and bytes where these are more.
    """
    if not fits(text, max_bytes):
        size = describe_size(text)
        raise TextTooLongError(f"Your {what} has {size}: {_describe_room(text, max_bytes)} {undone}")


def refuse_long_block(lines: list[str]) -> None:
    """Refuse a block that has too many lines or bytes.

    Raises:
        TextTooLongError: It has; the error says how many it has, and how many fit.
    """
    text = "\n".join(lines)
    if len(lines) > MAX_BLOCK_LINES or not fits(text, MAX_BLOCK_BYTES):
        raise TextTooLongError(
            f"Your block has {len(lines):,} lines and {describe_size(text)}: {MAX_BLOCK_LINES} lines fit, and "
            f"{_describe_room(text, MAX_BLOCK_BYTES)} It was not said."
        )


def describe_size(text: str) -> str:
    """Return how many characters a text has, and how many bytes where these are more."""
    size = len(text.encode())
    return f"{len(text):,} characters" + (f" ({size:,} bytes)" if size > len(text) else "")


def _describe_room(text: str, max_bytes: int) -> str:
    """Return how much fits: in characters, or in bytes and in about so many characters of the text's kind."""
    size = len(text.encode())
    if size == len(text):
        return f"{max_bytes:,} fit."
    return f"{max_bytes:,} bytes fit, which is about {max_bytes * len(text) // size:,} of such characters."
