"""Where events go: to a descriptor or a log file."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from sockctl.errors import LogFileError, SinkError
from sockctl.events.base import Record
from sockctl.events.formats import Format, encode_json

PIECES = 2
"""Pieces of a record."""
AT_ONCE = 1024
"""Pieces of one writev(), as Linux and macOS allow (IOV_MAX): no copy joins them."""


class DescriptorSink:
    """Writes to an open descriptor, such as standard error, which it doesn't close.

    It goes past Python's buffered streams: a thread that is stuck in one of those can't be left behind at exit.

    Args:
        descriptor: Where to write.
        style: Makes the text of a record.
        label: What a failure calls the place.
    """

    def __init__(self, descriptor: int, style: Format, *, label: str = "standard error") -> None:
        self._descriptor = descriptor
        self._style = style
        self._label = label
        self._torn = False

    def write(self, records: Sequence[Record]) -> None:
        """Write the records as lines; blocks while the descriptor does.

        A write that stops in the middle of a line (a full disk) leaves it torn; the next one begins a new line.
        """
        pieces = [piece for record in records for piece in self._encode(record)]
        start = b"\n" if self._torn else b""
        ends = list(accumulate(map(len, pieces), initial=len(start)))[::PIECES]
        left, written = [start, *pieces], 0
        try:
            while left:
                count = os.writev(self._descriptor, left[:AT_ONCE])
                written += count
                left = _drop(left, count)
        except OSError as error:
            if written:
                self._torn = written not in ends
            raise SinkError(f"{self._label}: {error.strerror}", written=bisect_right(ends, written, 1) - 1) from error
        self._torn = False

    def _encode(self, record: Record) -> tuple[bytes, bytes | bytearray]:
        """Return the line of a record and the lines below it, each of which may be empty."""
        text = self._style(record)
        if not text:
            return b"", b""
        return f"{text}\n".encode(), b"" if self._style is encode_json else record.event.dump

    def close(self) -> None:
        """Leave the descriptor as it is: it belongs to the process."""


class FileSink(DescriptorSink):
    """Appends to a log file, and follows a rotation by rename: a file that was moved away is made anew.

    Args:
        path: The file; made with mode 0600 if it isn't there.
        style: Makes the text of a record.

    Raises:
        LogFileError: The file can't be opened.
    """

    def __init__(self, path: Path, style: Format) -> None:
        self._path = path
        try:
            descriptor = self._open()
        except OSError as error:
            message = f"The log file {path} can't be opened: {error.strerror}. Give --log-file a path you may write to."
            raise LogFileError(message) from error
        super().__init__(descriptor, style, label=str(path))

    def write(self, records: Sequence[Record]) -> None:
        """Append the records as lines."""
        if self._was_moved():
            self._reopen()
        super().write(records)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        status = os.fstat(descriptor)
        self._identity = (status.st_dev, status.st_ino)
        return descriptor

    def _was_moved(self) -> bool:
        try:
            status = os.stat(self._path)  # noqa: PTH116  a Path is built slowly, and this runs for every batch
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def _reopen(self) -> None:
        try:
            descriptor = self._open()
        except OSError:
            return  # no descriptor, or no directory, right now: the moved file takes what comes until the next try
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._torn = False


def _drop(pieces: list[bytes | bytearray], size: int) -> list[bytes | bytearray]:
    """Return the pieces without the first `size` bytes and without empty ones in front."""
    for place, piece in enumerate(pieces):
        if size < len(piece):
            return [piece[size:], *pieces[place + 1 :]]
        size -= len(piece)
    return []
