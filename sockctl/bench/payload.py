r"""The bytes that echo clients send: lines of letters, no two of which are alike for a long time.

All clients read from one block of many messages, which begins anew when it ends; each client begins at another message.
So sending makes and copies nothing, and a client compares the bytes that come back with the block in one piece. Each
message ends with a line feed, for servers that take lines.
"""

import random
import string

PIECE_BYTES = 262_144
"""Handed to the system, or compared, at once at most."""
_BLOCK_BYTES = 65_536
_FEWEST = 3
_PERIODS = (65_521, 65_519)
"""After how many letters those of a large message begin anew: primes, so that no two messages are alike."""
_STRIDE = 31
_SHIFTS = 64
"""Bytes by which a stream may be moved, and still be recognised."""
_ENOUGH = 4
"""Bytes that must fit to recognise anything."""


class Payload:
    """The bytes that clients send, again and again.

    Args:
        size_bytes: Bytes of a message, its line feed included.

    Attributes:
        block: The messages, and the first `PIECE_BYTES` of them again.
        view: The same, to take parts of it.
        length: Bytes after which the block begins anew.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.messages = max(_FEWEST, _BLOCK_BYTES // size_bytes) | 1
        self.length = self.messages * size_bytes
        period = next(prime for prime in _PERIODS if size_bytes % prime)
        letters = bytes(random.Random(size_bytes).choices(string.ascii_letters.encode(), k=period))  # noqa: S311
        once = bytearray((letters * (1 + self.length // period))[: self.length])
        if size_bytes > 1:
            once[size_bytes - 1 :: size_bytes] = b"\n" * self.messages
        self.block = bytes(once + (once * (1 + PIECE_BYTES // self.length))[:PIECE_BYTES])
        self.view = memoryview(self.block)

    def find_start(self, client: int) -> int:
        """Return where in the block a client begins."""
        return client * _STRIDE % self.messages * self.size_bytes


def diagnose(stream: Payload, at: int, came: bytes) -> str:
    """Return the error of bytes that came in place of the block's bytes from `at` on.

    Returns:
        ``missing`` or ``doubled`` where bytes are, and the stream goes on behind them; else ``corrupt``.
    """
    expected = stream.block[at : at + len(came)]
    wrong = next((number for number in range(len(came)) if came[number] != expected[number]), len(came))
    rest = came[wrong:]
    if len(rest) >= _ENOUGH:
        for shift in range(1, _SHIFTS + 1):
            if stream.block.startswith(rest, (at + wrong + shift) % stream.length):
                return "missing"
            if stream.block.startswith(rest, (at + wrong - shift) % stream.length):
                return "doubled"
    return "corrupt"
