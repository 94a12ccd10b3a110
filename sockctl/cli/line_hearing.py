"""Makes lines of what a raw service sends."""

import codecs

__all__ = ["LineHearing"]


class LineHearing:
    """Makes lines of bytes: UTF-8, what isn't becomes U+FFFD; LF or CR LF ends one. Not thread-safe.

    Args:
        limit: How many characters of a line are kept, the rest is dropped; None for all of them.
    """

    def __init__(self, *, limit: int | None = None) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._limit = limit
        self._pieces: list[str] = []  # of the open line; put together once, so that a long one costs no more than short
        self._room = limit

    @property
    def open(self) -> str:
        """The line that has no end yet."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete; no data means the end, and a last line without one."""
        first, *others = self._decoder.decode(data, not data).split("\n")
        self._add(first)
        lines = []
        for other in others:
            lines.append(self._close())
            self._add(other)
        if not data and self.open:
            lines.append(self._close())
        return lines

    def _add(self, piece: str) -> None:
        piece = piece[: self._room]
        self._pieces.append(piece)
        if self._room is not None:
            self._room -= len(piece)

    def _close(self) -> str:
        line = self.open.removesuffix("\r")
        self._pieces.clear()
        self._room = self._limit
        return line
