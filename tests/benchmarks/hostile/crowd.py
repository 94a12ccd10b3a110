"""Many members, who read all that they get: the crowd of an attack, or what is measured."""

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.hostile.part import asked, take_part
from tests.support.frames import framed

PER_ADDRESS = 50
AT_ONCE = 200
"""Members that come at the same time where that isn't what is measured."""
PATIENCE_S = 300.0
LATE_S, LATE_BYTES = 10.0, 4_096
ROOM = "#hall"


class Crowd:
    """Members in their room.

    Args:
        port: The server's.
        late: Whether they begin to read LATE_S later than they might, and have small buffers.

    Attributes:
        dropped: How many the server has dropped.
    """

    def __init__(self, port: int, *, late: bool = False) -> None:
        self._port = port
        self._late = late
        self.dropped = 0
        self._waiting = selectors.DefaultSelector()
        self._members: list[socket.socket] = []
        self._seen: dict[object, bytes] = {}

    def come(self, count: int, at_once: int) -> None:
        """Let so many come in, some at once."""
        for start in range(0, count, at_once):
            several = [self._connected(number) for number in range(start, min(start + at_once, count))]
            self._members += several
            self._wait_for(several, b"#lobby")

    def join(self) -> None:
        """Let all join the same room."""
        for member in self._members:
            with contextlib.suppress(OSError):
                member.send(framed(kind="line", text=f"/join {ROOM}"))
        self._wait_for(self._members, f"You are in {ROOM}".encode())

    def stay(self, until: float) -> None:
        """Read until then."""
        while time.monotonic() < until:
            for _ in self._read():
                pass

    def _connected(self, number: int) -> socket.socket:
        sock = socket.socket()
        if self._late:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LATE_BYTES)
        sock.bind((f"127.0.{10 + number // PER_ADDRESS}.1", 0))
        sock.connect(("127.0.0.1", self._port))
        sock.sendall(framed(kind="hello", session=False) + framed(kind="answer", field="name", text=f"c{number}"))
        sock.setblocking(False)
        self._waiting.register(sock, selectors.EVENT_READ)
        return sock

    def _wait_for(self, members: list[socket.socket], mark: bytes) -> None:
        """Read until each has got `mark`."""
        time.sleep(LATE_S if self._late else 0.0)
        self._seen = dict.fromkeys(members, b"")
        until = time.monotonic() + PATIENCE_S
        while self._seen:
            assert time.monotonic() < until, f"{len(self._seen)} of {len(members)} are not in"
            for sock, data in self._read():
                if sock in self._seen:
                    self._seen[sock] = self._seen[sock][-len(mark) :] + data
                    if mark in self._seen[sock]:
                        del self._seen[sock]

    def _read(self) -> Iterator[tuple[object, bytes]]:
        for key, _ in self._waiting.select(0.05):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                data = sock.recv(1 << 18)
            except ConnectionError:
                data = b""
            if data:
                yield sock, data
                continue
            self.dropped += 1
            self._waiting.unregister(sock)
            self._seen.pop(sock, None)


def work(*, port: int, count: int, stay: bool = False, late: bool = False) -> Iterator[Any]:
    """Come in; then stay, or join another room each time that it is wanted."""
    crowd = Crowd(port, late=late)
    if stay:
        crowd.come(count, AT_ONCE)
        yield None
        crowd.stay(time.monotonic() + PATIENCE_S)
        return
    yield None
    asked()
    began = time.monotonic()
    crowd.come(count, count)
    yield {"seconds": time.monotonic() - began, "dropped": crowd.dropped}
    asked()
    began = time.monotonic()
    crowd.join()
    yield {"seconds": time.monotonic() - began, "dropped": crowd.dropped}
    crowd.stay(time.monotonic() + PATIENCE_S)


if __name__ == "__main__":
    take_part(work)
