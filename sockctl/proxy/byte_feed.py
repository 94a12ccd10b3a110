"""The bytes of one direction, for a reader that is a generator.

The reader asks for bytes, and yields while they are missing. So its code reads as if all bytes were there, and its
result does not depend on where the stream was cut. The feed never copies bytes that a reader skips. It keeps the bytes
that a reader has asked for, and each reader bounds what it asks for.
"""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Reading = Generator[None, None, T]
"""Reads something; yields whenever it needs more bytes than have come."""


class EndOfBytesError(Exception):
    """The direction ended in the middle of something."""


class NotUnderstoodError(Exception):
    """The bytes break the rules of their protocol; the text says how."""


class ByteFeed:
    """Gives the bytes of one direction to its reader. Not thread-safe.

    Attributes:
        ended: Whether no more bytes will come.
        inside: The thing that is being read, such as "a TLS record"; empty between two things.
    """

    __slots__ = ("_at", "_data", "_searched", "ended", "inside")

    def __init__(self) -> None:
        self._data: bytes | bytearray | memoryview = b""
        self._at = 0
        self._searched = 0  # up to here from `_at` on, there is no line feed
        self.ended = False
        self.inside = ""

    @property
    def available(self) -> int:
        """How many bytes have come and were not read."""
        return len(self._data) - self._at

    def put(self, data: bytes | memoryview) -> None:
        """Take bytes that have come; they must not change before `settle`."""
        if isinstance(self._data, bytearray):
            self._data += data
        else:
            self._data, self._at = data, 0

    def settle(self) -> None:
        """Keep a copy of the bytes that were not read."""
        if not self.available:
            self._data = b""
        elif isinstance(self._data, bytearray):
            del self._data[: self._at]
        else:
            self._data = bytearray(self._data[self._at :])
        self._at = 0

    def drop(self) -> None:
        """Forget all bytes that were not read."""
        self._data, self._at = b"", 0

    def peek(self, count: int) -> bytes:
        """Return up to `count` bytes that have come, and leave them."""
        return bytes(self._data[self._at : self._at + count])

    def take_available(self, at_most: int) -> bytes:
        """Return up to `at_most` bytes that have come."""
        data = self.peek(at_most)
        self.pass_over(len(data))
        return data

    def pass_over(self, count: int) -> None:
        """Leave out bytes that have come."""
        self._at += count
        self._searched = 0

    def find_line_end(self, limit: int) -> int:
        """Return the length of the next line, its line feed included; 0 if none ends in the next `limit` bytes."""
        if isinstance(self._data, memoryview):  # which can't be searched
            self._data, self._at = bytes(self._data[self._at :]), 0
        end = self._data.find(b"\n", self._at + self._searched, self._at + limit)
        if end >= 0:
            return end + 1 - self._at
        self._searched = min(self.available, limit)
        return 0

    def wait(self, count: int) -> Reading[bool]:
        """Wait for `count` bytes; return whether they have come before the end."""
        while self.available < count:
            if self.ended:
                return False
            yield
        return True

    def begin(self, inside: str) -> Reading[bool]:
        """Wait for the first byte of the next thing, such as "a TLS record"; return False at the end."""
        self.inside = ""
        if not (self.available or (yield from self.wait(1))):
            return False
        self.inside = inside
        return True

    def take(self, count: int) -> Reading[bytes]:
        """Return `count` bytes.

        Raises:
            EndOfBytesError: The direction ended before.
        """
        if self.available < count and not (yield from self.wait(count)):
            raise EndOfBytesError
        return self.take_available(count)

    def skip(self, count: int) -> Reading[None]:
        """Pass over `count` bytes; raises the errors of `take`."""
        while count > (there := self.available):
            self.pass_over(there)
            count -= there
            if self.ended:
                raise EndOfBytesError
            yield
        self.pass_over(count)

    def take_line(self, limit: int) -> Reading[bytes]:
        """Return a line with its line feed.

        Args:
            limit: Bytes that it has at most.

        Raises:
            EndOfBytesError: The direction ended before the line did.
            NotUnderstoodError: The line is longer.
        """
        while True:
            size = self.find_line_end(limit)
            if size:
                return self.take_available(size)
            if self.available >= limit:
                raise NotUnderstoodError(f"a line has more than {limit:,} bytes")
            if self.ended:
                raise EndOfBytesError
            yield
