"""Asks a server what it does, over its control socket."""

import contextlib
import json
import select
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sockctl.deadline import Deadline
from sockctl.errors import ControlError, ServerGoneError
from sockctl.net.control.form import ASK, CONNECTION, SERVER, SUFFIX, Form, has_form
from sockctl.net.control.socket_file import remove_stale
from sockctl.text import make_visible

MAX_BYTES = 256 << 20
"""Bytes of an answer at most: 400,000 connections."""
READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a server has told of itself, as `sockctl.net.status` names the fields.

    Attributes:
        server: The fields of the server.
        connections: The fields of each connection, in the order of their numbers.
    """

    server: dict[str, Any]
    connections: list[dict[str, Any]]


class ControlClient:
    """A connection to a control socket. Not thread-safe.

    Args:
        path: The file of the socket.

    Raises:
        ControlError: No server listens there, or it isn't this user's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = path.stem
        self._buffer = bytearray()
        self._scanned = 0
        self._server: dict[str, Any] | None = None  # of the answer that is coming in
        self._connections: list[dict[str, Any]] = []
        self._sock = socket.socket(socket.AF_UNIX)
        try:
            self._sock.settimeout(1.0)
            self._sock.connect(str(path))
            self._sock.setblocking(False)
        except OSError as error:
            self._sock.close()
            raise ControlError(_explain(path, error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a part of an answer has come."""
        return self._sock.fileno()

    def ask(self) -> None:
        """Ask for a snapshot, which `receive` returns."""
        with contextlib.suppress(OSError):  # the next `receive` tells what is wrong
            self._sock.send(ASK)

    def receive(self) -> Snapshot | None:
        """Read what has come; return the snapshot that it completes, if any. Never blocks.

        Raises:
            ServerGoneError: The server is gone.
            ControlError: The server refuses, or what listens there is no server of sockctl's.
        """
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            name = make_visible(self._name)
            raise ServerGoneError(f"The server {name} has gone without a goodbye: was it killed?", in_order=False)
        self._buffer += data
        if len(self._buffer) > MAX_BYTES:
            raise self._make_foreign_error()
        return self._decode()

    def fetch(self, timeout_s: float) -> Snapshot:
        """Ask, and wait for the snapshot.

        Raises:
            ServerGoneError: As `receive`.
            ControlError: As `receive`, or no answer came in time.
        """
        self.ask()
        deadline = Deadline.after(timeout_s)
        while True:
            if not select.select([self], [], [], deadline.left_s)[0]:
                raise ControlError(f"The server at {_show(self.path)} doesn't answer.")
            if (snapshot := self.receive()) is not None:
                return snapshot

    def _decode(self) -> Snapshot | None:
        """Return the snapshot that the lines in the buffer complete, if any."""
        end = self._buffer.rfind(b"\n", self._scanned) + 1
        self._scanned = len(self._buffer)
        if not end:
            return None
        lines = bytes(self._buffer[:end]).splitlines()
        del self._buffer[:end]
        self._scanned = len(self._buffer)
        snapshot = None
        for line in lines:
            snapshot = self._take(self._parse(line)) or snapshot
        return snapshot

    def _take(self, fields: dict[str, Any]) -> Snapshot | None:
        """Note the fields of a line; return the snapshot that it completes, if any."""
        match fields.pop("kind", None):
            case "server":
                self._server, self._connections = self._check(fields, SERVER), []
                self._name = fields["name"]
            case "connection":
                self._connections.append(self._check(fields, CONNECTION))
            case "end" if self._server is not None:
                return Snapshot(self._server, self._connections)
            case "stopped":
                raise ServerGoneError(f"The server {make_visible(self._name)} has stopped.", in_order=True)
            case "error":
                raise ControlError(f"The server refuses: {make_visible(str(fields.get('text')))}")
        return None

    def _check(self, fields: dict[str, Any], form: Form) -> dict[str, Any]:
        if not has_form(fields, form):
            raise ControlError(
                f"The server at {_show(self.path)} doesn't tell what this version of sockctl shows: it is of another "
                "version, or no server of sockctl's. Start it again, or watch it with its own version."
            )
        return fields

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._make_foreign_error() from error
        if not isinstance(fields, dict):
            raise self._make_foreign_error()
        return fields

    def _make_foreign_error(self) -> ControlError:
        return ControlError(f"What listens at {_show(self.path)} is no server of sockctl's.")


def list_files(folder: Path) -> list[Path]:
    """Return the files of control sockets in a folder, by name; some may be left from servers that were killed."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except OSError:
        return []


def list_live(folder: Path) -> list[Path]:
    """Return the files of a folder at which a server listens; remove those that killed servers have left."""
    return [path for path, _ in _connect_all(folder)]


def fetch_all(folder: Path, timeout_s: float) -> Iterator[tuple[Path, Snapshot]]:
    """Yield each server in a folder that answers; remove the files that killed servers have left."""
    for path, client in _connect_all(folder):
        with contextlib.suppress(ControlError, ServerGoneError):
            yield path, client.fetch(timeout_s)


def _connect_all(folder: Path) -> Iterator[tuple[Path, ControlClient]]:
    silent = []
    for path in list_files(folder):
        try:
            client = ControlClient(path)
        except ControlError:
            silent.append(path)
        else:
            with contextlib.closing(client):
                yield path, client
    if silent:
        remove_stale(folder, silent)


def _explain(path: Path, error: OSError) -> str:
    shown = _show(path)
    if isinstance(error, FileNotFoundError):
        return f"There is no control socket {shown}. 'sockctl watch --list' lists the servers that run."
    if _is_something_else(path):
        return (
            f"{shown} is no control socket, since it is no socket: 'sockctl watch --list' lists the servers that run."
        )
    if isinstance(error, ConnectionRefusedError):
        return f"No server listens at {shown} any more: its process was killed."
    if isinstance(error, PermissionError):
        return f"The server at {shown} is another user's: ask as that user, or as root."
    return f"The control socket {shown} can't be used: {error.strerror or error}."


def _is_something_else(path: Path) -> bool:
    try:
        return not stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _show(path: Path) -> str:
    return make_visible(str(path))
