"""`sockctl listen` in a process of its own, whose standard output is read to its end."""

import contextlib
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from typing import IO, Any

from tests.support.running import START_S, TIMEOUT_S, Process, connect, process


class Listening:
    """A listener.

    Attributes:
        run: The process.
        port: Its port; 0 at a Unix socket.
    """

    def __init__(self, run: Process, place: str) -> None:
        self.run = run
        self.port = int(run.wait_for(place, timeout_s=START_S)[1] or 0)
        self._parts: list[bytes] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def input(self) -> IO[bytes]:
        assert self.run.process.stdin is not None
        return self.run.process.stdin

    def _read(self) -> None:
        assert self.run.process.stdout is not None
        while part := os.read(self.run.process.stdout.fileno(), 65_536):
            self._parts.append(part)

    @property
    def shown(self) -> bytes:
        """What it has shown so far."""
        return b"".join(self._parts)

    def client(self) -> socket.socket:
        return connect(self.port, "127.0.0.1")

    def wait(self) -> tuple[int, bytes]:
        """Wait for the end, and return the exit code and all that it has shown."""
        code = self.run.wait()
        self._reader.join(TIMEOUT_S)
        return code, self.shown

    def close(self) -> None:
        if self.run.process.poll() is None:
            self.run.process.kill()
        self._reader.join(TIMEOUT_S)
        if self.run.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.run.process.stdin.close()


@contextlib.contextmanager
def listening(
    *options: str, where: str = "0", place: str = r"Listening on 127\.0\.0\.1:(\d+)", **settings: Any
) -> Iterator[Listening]:
    """Start a listener; without `stdin`, its input is at its end from the start."""
    with process("listen", where, "--timeout", "60", *options, **settings) as run:
        listener = Listening(run, place)
        try:
            yield listener
        finally:
            listener.close()


def piped() -> dict[str, Any]:
    """Return the setting of a listener that gets its input from the test."""
    return {"stdin": subprocess.PIPE}


def reset(sock: socket.socket) -> None:
    """Break a connection off."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
