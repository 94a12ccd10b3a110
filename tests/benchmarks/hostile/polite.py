"""Polite members of a chat, who measure how long a message takes to each of them.

They speak on a clock, whether what they said before has come or not: a server that stalls can't hide it. What hasn't
come at the end counts as if it came then.
"""

import itertools
import json
import selectors
import socket
import statistics
import time
from collections.abc import Iterator
from typing import Any

from tests.accounts.data import PASSWORD
from tests.benchmarks.hostile.part import take_part
from tests.frames import FrameClient, framed

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
        """Return the messages that have come."""
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
            yield one


def talk(members: list[Member], seconds: float, per_s: float, numbers: Iterator[int]) -> dict[str, Any]:
    """Let members speak in turn, and return what it took."""
    waiting = selectors.DefaultSelector()
    for member in members:
        waiting.register(member.sock, selectors.EVENT_READ, member)
    sent: dict[str, float] = {}
    missing: dict[str, int] = {}
    took: list[float] = []
    began = time.monotonic()
    due, end = began, began + seconds
    while (now := time.monotonic()) < end or (missing and now < end + GRACE_S):
        if due <= now and due < end:
            text = f"polite message {next(numbers)}"
            sent[text], missing[text] = due, len(members)
            members[len(sent) % len(members)].send(kind="line", text=text)
            due += 1 / per_s
            continue
        wait_s = (due if due < end else end + GRACE_S) - now
        for key, _ in waiting.select(min(max(wait_s, 0.0), 0.1)):
            for one in key.data.received():
                if one["kind"] == "ping":
                    key.data.send(kind="pong")
                elif one["kind"] == "say" and missing.get(one["text"]):
                    took.append(time.monotonic() - sent[one["text"]])
                    missing[one["text"]] -= 1
                    if not missing[one["text"]]:
                        del missing[one["text"]]
            if key.data.gone:
                waiting.unregister(key.fileobj)
    waiting.close()
    lost = sum(missing.values())
    took += [time.monotonic() - sent[text] for text, count in missing.items() for _ in range(count)]
    return {
        "p50": statistics.median(took),
        "p99": statistics.quantiles(took, n=100)[98],
        "most": max(took),
        "heard": len(took) - lost,
        "lost": lost,
    }


def work(*, port: int, seconds: float, members: int = 6, per_s: float = 20.0, users: bool = False) -> Iterator[Any]:
    """Come in, and speak each time it is wanted."""
    there = [Member(port, number, users=users) for number in range(members)]
    numbers = itertools.count()
    yield None
    while True:
        yield talk(there, seconds, per_s, numbers)


if __name__ == "__main__":
    take_part(work)
