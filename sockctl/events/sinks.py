"""How events look and where they go: text for people or JSON lines for programs, to a descriptor or a log file."""

import datetime
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from sockctl.errors import LogFileError, SinkError
from sockctl.events.base import ConnectionEvent, Level, Record
from sockctl.text import visible

Format = Callable[[Record], str]
"""Makes one line, without the line feed, of a record."""

_STYLES = {Level.DETAIL: "2", Level.INFO: "36", Level.WARNING: "33", Level.ERROR: "31"}
"""ANSI SGR codes of an event's name: faint, cyan, yellow, red."""


def _local(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC).astimezone()


def _origin(record: Record) -> str:
    event = record.event
    return f"#{event.connection} {event.peer}  " if isinstance(event, ConnectionEvent) else ""


def as_text(record: Record) -> str:
    """Return ``2026-01-31 12:00:00.000 data_received #3 127.0.0.1:50000  Received …``, in local time."""
    stamp = _local(record.time).isoformat(sep=" ", timespec="milliseconds")[:23]
    return visible(f"{stamp} {record.event.name} {_origin(record)}{record.event.text}")


def as_terminal_text(record: Record) -> str:
    """Return the line for a terminal: the time of day, the event's name in its level's colour, the sentence."""
    name = f"\x1b[{_STYLES[record.event.level]}m{record.event.name:<19}\x1b[0m"
    rest = visible(f"{_origin(record)}{record.event.text}")
    return f"{_local(record.time):%H:%M:%S} {name} {rest}"


def as_plain_text(record: Record) -> str:
    """Return the line for a terminal without colour."""
    return visible(f"{_local(record.time):%H:%M:%S} {record.event.name:<19} {_origin(record)}{record.event.text}")


def as_json(record: Record) -> str:
    """Return one JSON object: time (RFC 3339, UTC), event, service, the event's own fields, text. ASCII only."""
    stamp = datetime.datetime.fromtimestamp(record.time, tz=datetime.UTC).isoformat(timespec="milliseconds")
    event = record.event
    head = {"time": stamp.replace("+00:00", "Z"), "event": event.name, "service": record.service}
    return json.dumps({**head, **event.fields, "text": event.text})


class DescriptorSink:
    """Writes to an open descriptor, such as standard error, which it doesn't close.

    It goes past Python's buffered streams: a thread that is stuck in one of those can't be left behind at exit.

    Args:
        descriptor: Where to write.
        style: How a record looks.
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
        start = b"\n" if self._torn else b""
        data = start + "".join(self._style(record) + "\n" for record in records).encode()
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            done = data[:written]
            if done:
                self._torn = not done.endswith(b"\n")
            raise SinkError(f"{self._label}: {error.strerror}", written=done[len(start) :].count(b"\n")) from error
        self._torn = False

    def close(self) -> None:
        """Leave the descriptor as it is: it belongs to the process."""


class FileSink(DescriptorSink):
    """Appends to a log file, and follows a rotation by rename: a file that was moved away is made anew.

    Args:
        path: The file; made with mode 0600 if it isn't there.
        style: How a record looks.

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
        if self._moved():
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

    def _moved(self) -> bool:
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
