"""Polite members of a chat, who measure how long a message takes to each of them.

They speak on a clock, whether what they said before has come or not: a server that stalls can't hide it. What hasn't
come at the end counts as if it came then.
"""

import itertools
import json
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.hostile.part import asked, take_part
from tests.support.accounts import PASSWORD
from tests.support.frames import FrameClient, framed

GRACE_S = 10.0
HEADER_BYTES = 4


class Member:
    """One member, in its room."""

    def __init__(self, port: int, number: int, *, users: bool) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = FrameClient(self.sock)
        client.send(kind="answer", field="name", text=f"polite{number}")
        if users:
            client.send(kind="answer", field="password", text=PASSWORD)
        while (one := client.receive()) is None or one["kind"] != "members":
            assert one is not None, "a polite member isn't let in"
        self.sock.setblocking(False)
        self._data = bytearray()
        self.gone = False

    def send(self, **fields: Any) -> None:
        """Send a message, which is small: what the system doesn't take is lost."""
        try:
            self.sock.send(framed(**fields))
        except OSError:
            self.gone = True

    def received(self) -> Iterator[dict[str, Any]]:
        """Return the messages that have come; a ping is answered."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.gone = self.gone or not data
        self._data += data
        while len(self._data) >= HEADER_BYTES:
            end = HEADER_BYTES + int.from_bytes(self._data[:HEADER_BYTES])
            if len(self._data) < end:
                return
            one = json.loads(bytes(self._data[HEADER_BYTES:end]))
            del self._data[:end]
            if one["kind"] == "ping":
                self.send(kind="pong")
            yield one


class Talk:
    """What members say to each other for a while.

    Args:
        members: Who speaks, in turn.
        per_s: Messages a second.
    """

    def __init__(self, members: list[Member], per_s: float) -> None:
        self._members = members
        self._per_s = per_s
        self._waiting = waiting_for(members)
        self._sent: dict[str, float] = {}
        self._missing: dict[str, int] = {}
        self._took: list[float] = []

    def run(self, seconds: float, numbers: Iterator[int]) -> dict[str, Any]:
        """Talk, and return what it took."""
        due = began = time.monotonic()
        end = began + seconds
        while (now := time.monotonic()) < end or (self._missing and now < end + GRACE_S):
            if due <= now and due < end:
                self._say(f"polite message {next(numbers)}", due)
                due += 1 / self._per_s
                continue
            until = due if due < end else end + GRACE_S
            for key, _ in self._waiting.select(min(max(until - now, 0.0), 0.1)):
                self._hear(key.data)
        self._waiting.close()
        return self._figures()

    def _say(self, text: str, due: float) -> None:
        self._sent[text], self._missing[text] = due, len(self._members)
        self._members[len(self._sent) % len(self._members)].send(kind="line", text=text)

    def _hear(self, member: Member) -> None:
        for one in member.received():
            text = one["text"]
            if one["kind"] == "say" and text in self._missing:
                self._took.append(time.monotonic() - self._sent[text])
                self._missing[text] -= 1
                if not self._missing[text]:
                    del self._missing[text]
        if member.gone:
            self._waiting.unregister(member.sock)

    def _figures(self) -> dict[str, Any]:
        lost = sum(self._missing.values())
        now = time.monotonic()
        took = self._took + [now - self._sent[text] for text, count in self._missing.items() for _ in range(count)]
        return {
            "p50": statistics.median(took),
            "p99": statistics.quantiles(took, n=100)[98],
            "gone": sum(member.gone for member in self._members),
            "lost": lost,
        }


def waiting_for(members: list[Member]) -> selectors.BaseSelector:
    """Return what waits for the members who are still there."""
    waiting = selectors.DefaultSelector()
    for member in members:
        if not member.gone:
            waiting.register(member.sock, selectors.EVENT_READ, member)
    return waiting


def read_on(members: list[Member]) -> None:
    """Let members read what comes, until figures are asked for: a member that doesn't read isn't polite."""
    waiting = waiting_for(members)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.data is None:
                waiting.close()
                return
            for _ in key.data.received():
                pass
            if key.data.gone:
                waiting.unregister(key.fileobj)


def work(*, port: int, seconds: float, members: int = 6, per_s: float = 20.0, users: bool = False) -> Iterator[Any]:
    """Come in, and speak each time it is wanted."""
    there = [Member(port, number, users=users) for number in range(members)]
    numbers = itertools.count()
    yield None
    read_on(there)
    while asked():
        yield Talk(there, per_s).run(seconds, numbers)
        read_on(there)


if __name__ == "__main__":
    take_part(work)
