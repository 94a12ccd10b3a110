"""The messages that members of a chat say: each carries all that a member needs to check it by itself.

The text holds its sender's number, its own number, when it was due, and a checksum.
"""

import math
import time
import zlib
from dataclasses import dataclass

_PADDING = b"abcdefghijklmnopqrstuvwxyz"
_PARTS = 5


@dataclass(frozen=True, slots=True)
class Said:
    """A message of this run.

    Attributes:
        sender: The sender's number.
        number: Its number among the sender's messages.
        due: When it was due, on the monotonic clock.
        size_bytes: Bytes of its text.
    """

    sender: int
    number: int
    due: float
    size_bytes: int


def encode_said(run: str, sender: int, number: int, due: float, size_bytes: int) -> str:
    """Return the text of a message: `size_bytes` of it, or more where its fields need more."""
    head = f"{run},{sender},{number},{due!r},"  # unrounded: else the first one would be due in the warm-up
    missing = max(0, size_bytes - len(head) - 9)
    padding = (_PADDING * (missing // len(_PADDING) + 2))[number % len(_PADDING) :][:missing].decode()
    body = f"{head}{padding},"
    return f"{body}{zlib.crc32(body.encode()):08x}"


def decode_said(run: str, text: str) -> Said | None:
    """Return the message that a text of this run carries; None if the text is another run's, or corrupt."""
    body, checksum = text[:-8], text[-8:]
    parts = body.split(",", _PARTS - 1)
    if len(parts) != _PARTS or parts[0] != run or f"{zlib.crc32(body.encode()):08x}" != checksum:
        return None
    try:
        what = Said(int(parts[1]), int(parts[2]), float(parts[3]), len(text))
    except ValueError:
        return None
    return what if 0 <= time.monotonic() - what.due < math.inf else None
