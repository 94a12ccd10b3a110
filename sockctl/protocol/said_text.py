"""Which lines of a member of a chat are text, and how large a block may be: server and client must agree on it."""

import re

MAX_BLOCK_LINES = 200
"""Lines of a block."""
MAX_BLOCK_BYTES = 16_384
"""Bytes of a block, each line break counted as one."""
_TEXT_WITH_SLASH = re.compile(r"/(?:[ \t]|[^ \t/]+/)")


def read_text(line: str) -> str | None:
    """Return the text that a line says; None for a command.

    A line that doesn't begin with ``/`` is text. So is one with a space behind its ``/``, or a second ``/`` in its
    first word (``/etc/hosts``); ``//x`` says ``/x``.
    """
    if not line.startswith("/"):
        return line
    if line.startswith("//"):
        return line[1:]
    return line if _TEXT_WITH_SLASH.match(line) else None
