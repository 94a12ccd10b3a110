"""Makes lines of the bytes of a raw service."""

import codecs
from typing import Literal

MAX_PIECES = 10_000
"""Pieces of a line that are kept apart: one of few characters takes far more memory than they do."""


class LineSplitter:
    """Makes lines of bytes in UTF-8; LF or CR LF ends one. Not thread-safe.

    Args:
        limit: How many characters of a line are kept; the rest is dropped.
        errors: What other bytes become: ``replace`` makes U+FFFD of them, ``surrogateescape`` a lone surrogate of each,
            from which `str.encode` makes them again (PEP 383).

    Attributes:
        dropped: How many characters were dropped of each line that `feed` has returned last.
    """

    def __init__(self, *, limit: int, errors: Literal["replace", "surrogateescape"] = "replace") -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors)
        self._limit = limit
        self._pieces: list[str] = []  # of the open line; put together once, so that a long one costs no more than short
        self._room = limit
        self._beyond = 0  # characters of the open line that were dropped
        self.dropped: list[int] = []

    @property
    def open(self) -> str:
        """The line that has no end yet."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete; no data means the end, and a last line without one."""
        self.dropped = []
        first, *others = self._decoder.decode(data, not data).split("\n")
        self._add(first)
        lines = []
        for other in others:
            lines.append(self._close())
            self._add(other)
        if not data and (self.open or self._beyond):
            lines.append(self._close())
        return lines

    def _add(self, piece: str) -> None:
        kept = piece[: self._room]
        self._room -= len(kept)
        self._beyond += len(piece) - len(kept)
        if kept:
            self._pieces.append(kept)
        if len(self._pieces) >= MAX_PIECES:
            self._pieces = ["".join(self._pieces)]

    def _close(self) -> str:
        line = self.open.removesuffix("\r")
        self.dropped.append(self._beyond)
        self._pieces.clear()
        self._room, self._beyond = self._limit, 0
        return line
