"""Keeps all bytes of a connection in two files, one for each direction."""

import contextlib
import datetime
import os
from collections.abc import Callable
from pathlib import Path

from sockctl.errors import DumpError
from sockctl.events.base import Event
from sockctl.events.proxy import TO_CLIENT, TO_TARGET, DumpFailed, DumpStarted
from sockctl.net.connection import Connection


class DumpFolder:
    """The folder of the files; their names begin with the time at which the proxy started.

    Args:
        folder: The folder; made for this user alone if it isn't there.

    Raises:
        DumpError: It can't be made, or no file can be made in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        now = datetime.datetime.now(tz=datetime.UTC).astimezone()
        self._start = f"{now:%Y%m%dT%H%M%S}-{os.getpid()}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(0, "no permission to make files there")
        except OSError as error:
            raise DumpError(
                f"--dump {folder} can't be used: {error.strerror}. Give a folder in which you may make files."
            ) from error

    def open(self, connection: Connection, emit: Callable[[Event], None]) -> "DumpFiles":
        """Return the files of a connection, and emit their names."""
        return DumpFiles(self._folder / f"{self._start}-{connection.number}", connection, emit)


class DumpFiles:
    """The files of one connection. One thread at a time uses them.

    A file that can't be written any more keeps its first bytes; the connection goes on.

    Args:
        path: The path of both files, without its ending.
        connection: The connection.
        emit: Takes the events.
    """

    def __init__(self, path: Path, connection: Connection, emit: Callable[[Event], None]) -> None:
        self._connection = connection
        self._emit = emit
        self._names = {direction: f"{path}.{direction.replace('_', '-')}" for direction in (TO_TARGET, TO_CLIENT)}
        self._descriptors: dict[str, int] = {}
        self._kept = {TO_TARGET: 0, TO_CLIENT: 0}
        for direction, name in self._names.items():
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._descriptors[direction] = os.open(name, flags, 0o600)
            except OSError as error:
                self._fail(direction, error)
        if self._descriptors:
            emit(DumpStarted(connection=connection.number, peer=connection.peer, **self._names))

    def write(self, direction: str, data: memoryview) -> None:
        """Keep bytes of a direction."""
        descriptor = self._descriptors.get(direction)
        if descriptor is None:
            return
        try:
            while data:
                written = os.write(descriptor, data)
                self._kept[direction] += written
                data = data[written:]
        except OSError as error:
            self._close(direction)
            self._fail(direction, error)

    def close(self) -> None:
        """Close the files."""
        for direction in list(self._descriptors):
            self._close(direction)

    def _close(self, direction: str) -> None:
        with contextlib.suppress(OSError):  # a network's disk may say only now that it is full
            os.close(self._descriptors.pop(direction))

    def _fail(self, direction: str, error: OSError) -> None:
        self._emit(
            DumpFailed(
                connection=self._connection.number,
                peer=self._connection.peer,
                file=self._names[direction],
                error=error.strerror or str(error),
                kept_bytes=self._kept[direction],
            )
        )
