"""Polite members of a chat, who measure how long a message takes to each of them.

They speak on a clock, whether what they said before has come or not: a server that stalls can't hide it. What hasn't
come at the end counts as if it came then.
"""

import itertools
import json
import os
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

from sockctl.protocol.web_frames import TEXT
from tests.benchmarks.hostile.part import asked, take_part
from tests.support.accounts import PASSWORD
from tests.support.frames import FrameClient, framed
from tests.support.web import encode_client_frame, open_websocket

GRACE_S = 10.0
HEADER_BYTES = 4


class Member:
    """One member, in its room."""

    def __init__(self, port: int, number: int, *, users: bool, web: bool) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if web:
            browser = open_websocket(self.sock)
            browser.say("answer", f"browser{number}", field="name")
            while browser.hear()["kind"] != "members":
                pass
        else:
            client = FrameClient(self.sock)
            client.send(kind="answer", field="name", text=f"polite{number}")
            if users:
                client.send(kind="answer", field="password", text=PASSWORD)
            while (one := client.receive()) is None or one["kind"] != "members":
                assert one is not None, "a polite member isn't let in"
        self.sock.setblocking(False)
        self._web = web
        self._data = bytearray()
        self.gone = False

    def send(self, **fields: Any) -> None:
        """Send a message, which is small: what the system doesn't take is lost."""
        try:
            self.sock.send(encode_client_frame(json.dumps(fields).encode()) if self._web else framed(**fields))
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
        cut = cut_web_frame if self._web else cut_frame
        while (text := cut(self._data)) is not None:
            one = json.loads(text or '{"kind": "control", "text": ""}')
            if one["kind"] == "ping":
                self.send(kind="pong")
            yield one


def cut_frame(data: bytearray) -> bytes | None:
    """Take a whole frame from the front; None if there is none."""
    end = HEADER_BYTES + int.from_bytes(data[:HEADER_BYTES])
    if len(data) < max(end, HEADER_BYTES):
        return None
    text = bytes(data[HEADER_BYTES:end])
    del data[:end]
    return text


def cut_web_frame(data: bytearray) -> bytes | None:
    """Take a whole WebSocket frame from the front; None if there is none. That of a control frame is empty."""
    decoded = decode_web_header(data)
    if decoded is None or len(data) < sum(decoded[1:]):
        return None
    opcode, start, size = decoded
    text = bytes(data[start : start + size]) if opcode == TEXT else b""
    del data[: start + size]
    return text


def decode_web_header(data: bytearray) -> tuple[int, int, int] | None:
    """Return the opcode, and the sizes of a server's header and payload; None if the header is incomplete."""
    if len(data) < 2:
        return None
    start = {126: 4, 127: 10}.get(data[1], 2)
    if len(data) < start:
        return None
    return data[0] & 0x0F, start, int.from_bytes(data[2:start]) if start > 2 else data[1]


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
                self._say(f"polite message {os.getpid()} {next(numbers)}", due)
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


def work(
    *, port: int, seconds: float, members: int = 6, per_s: float = 20.0, users: bool = False, web: bool = False
) -> Iterator[Any]:
    """Come in, and speak each time it is wanted."""
    there = [Member(port, number, users=users, web=web) for number in range(members)]
    numbers = itertools.count()
    yield None
    read_on(there)
    while asked():
        yield Talk(there, per_s).run(seconds, numbers)
        read_on(there)


if __name__ == "__main__":
    take_part(work)
