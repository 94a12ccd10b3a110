"""Attackers: many connections in one process, each of which sends the same bytes without a pause.

A connection that is closed comes again. The bytes are made beforehand, so that the attackers aren't what is slow.
"""

import contextlib
import itertools
import json
import math
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sockctl.protocol.web_frames import CLOSE, CONTINUATION, PING
from tests.benchmarks.hostile.part import asked, take_part
from tests.support.accounts import PASSWORD
from tests.support.frames import framed
from tests.support.web import UPGRADE, encode_client_frame, make_request

AGAIN_S = 0.02
"""After which a connection that was closed comes again."""
READY_S = 20.0
STREAM_BYTES = 1 << 16
TEXT_BYTES = 4_000
"""Nearly as much as may be said at once."""
_WELCOME = b'"kind":"welcome"'
_RESET = struct.pack("ii", 1, 0)
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """What a connection does.

    Attributes:
        opening: Returns what a connection sends first, by its number.
        stream: Returns what it sends then, again and again; empty for nothing.
        member: Whether it sends that only when it is welcome.
        leaves: Whether it leaves by itself: when it is welcome, or else when it has sent its opening.
        every_s: How long it waits between a stream and the next.
        half_closes: Whether it ends its side when it has sent its opening, and reads on.
    """

    opening: Callable[[int], bytes] = lambda _: b""
    stream: Callable[[int], bytes] = lambda _: b""
    member: bool = False
    leaves: bool = False
    half_closes: bool = False
    every_s: float = 0.0


def _guest(number: int) -> bytes:
    return framed(kind="hello", client="m", session=False) + framed(kind="answer", field="name", text=f"m{number}")


def _user(number: int) -> bytes:
    name, password = ({"field": "name", "text": f"mallory{number % 8}"}, {"field": "password", "text": PASSWORD})
    return (
        framed(kind="hello", client="m", session=False)
        + framed(kind="answer", **name)
        + framed(kind="answer", **password)
    )


def _hello(_: int) -> bytes:
    return framed(kind="hello", client="m")


def _again(one: bytes) -> Callable[[int], bytes]:
    return lambda _: one * max(1, STREAM_BYTES // len(one))


def _line(text: str) -> Callable[[int], bytes]:
    return _again(framed(kind="line", text=text))


def _nicks(number: int) -> bytes:
    both = framed(kind="line", text=f"/nick n{number}") + framed(kind="line", text=f"/nick o{number}")
    return both * (STREAM_BYTES // len(both))


def _rooms(number: int) -> bytes:
    """Fill the histories of as many rooms as a member may be in."""
    said = framed(kind="line", text="x" * TEXT_BYTES)
    joins = (framed(kind="line", text=f"/join #h{number}x{room}") for room in range(25))
    return b"".join(join + said * 20 for join in joins)


_UPGRADE = make_request("/", *UPGRADE)
_HALF = _UPGRADE[:-2]


def _web_guest(number: int) -> bytes:
    answer = json.dumps({"kind": "answer", "field": "name", "text": f"m{number}"}).encode()
    return _UPGRADE + encode_client_frame(b'{"kind":"hello","session":false}') + encode_client_frame(answer)


ATTACKS = {
    "silent": Attack(),
    "unknown": Attack(opening=_hello, stream=_again(framed(kind="x"))),
    "pong": Attack(opening=_user, stream=_again(framed(kind="pong")), member=True),
    "telnet": Attack(stream=_again(b"\xff\xf1")),
    "newlines": Attack(stream=_again(b"\n")),
    "empty": Attack(opening=_hello, stream=_again(framed(kind="line", text=""))),
    "shout": Attack(opening=_hello, stream=_line("x" * 65_000)),
    "churn": Attack(opening=_guest, member=True, leaves=True),
    "vanish": Attack(opening=_guest, leaves=True),
    "half-close": Attack(opening=_guest, half_closes=True),
    "knock": Attack(leaves=True),
    "junk": Attack(opening=lambda _: _hello(0) + b"\0\0\0\1{"),
    "rooms": Attack(opening=_guest, stream=_line("/rooms"), member=True),
    "nick": Attack(opening=_guest, stream=_nicks, member=True),
    "who": Attack(opening=_guest, stream=_line("/who"), member=True),
    "history": Attack(opening=_guest, stream=_line("/history 100"), member=True),
    "topic": Attack(opening=_guest, stream=_line("/topic t"), member=True),
    "loud": Attack(opening=_user, stream=_line("x" * TEXT_BYTES), member=True),
    "brisk": Attack(
        opening=_user, stream=lambda _: framed(kind="line", text="x" * TEXT_BYTES), member=True, every_s=0.12
    ),
    "resume": Attack(opening=_hello, stream=_again(framed(kind="resume", token=f"{0:012}.{0:043}"))),
    "bytes": Attack(stream=_again(b"x")),
    "hoard": Attack(opening=_guest, stream=_rooms, member=True),
    "hold": Attack(opening=lambda _: b"a line\n"),
    "web-silent": Attack(),
    "web-heads": Attack(stream=_again(make_request("/"))),
    "web-bytes": Attack(stream=lambda _: b"G", every_s=0.001),
    "web-half": Attack(opening=lambda _: _HALF, leaves=True),
    "web-bad": Attack(opening=lambda _: make_request("/", host="evil.example")),
    "web-tiny": Attack(opening=_web_guest, stream=_again(encode_client_frame(b'{"kind":"x"}')), member=True),
    "web-pings": Attack(opening=_web_guest, stream=_again(encode_client_frame(b"", PING)), member=True),
    "web-fragments": Attack(
        opening=lambda number: _web_guest(number) + encode_client_frame(b"{", fin=False),
        stream=_again(encode_client_frame(b"", CONTINUATION, fin=False)),
        member=True,
    ),
    "web-huge": Attack(opening=lambda number: _web_guest(number) + b"\x81\xff\0\0\0\0\xff\xff\xff\xff1234"),
    "web-closes": Attack(opening=lambda _: _UPGRADE + encode_client_frame(b"\x03\xe8", CLOSE)),
    "lines": Attack(stream=_again(b"a line for a program\n")),
}


class Connection:
    """One connection, which comes again when it is closed."""

    def __init__(self, attack: Attack, port: int, address: str, waiting: selectors.BaseSelector) -> None:
        self._attack = attack
        self._target = ("127.0.0.1", port)
        self._address = address
        self._waiting = waiting
        self._heard = b""
        self.sock: socket.socket | None = None
        self.welcome = False
        self.sent = 0
        self.opened = 0
        self.welcomes = 0
        self.again_at = 0.0
        self.due = math.inf

    def open(self) -> None:
        """Connect."""
        number = next(_numbers)
        self._stream = self._attack.stream(number)
        self._left = memoryview(self._attack.opening(number) or self._stream)
        self.due = math.inf
        self._heard, self.welcome = b"", not self._attack.member
        self.opened += 1
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.bind((self._address, 0))
        with contextlib.suppress(BlockingIOError):
            self.sock.connect(self._target)
        self._waiting.register(self.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def close(self) -> None:
        """Close, to come again soon."""
        assert self.sock is not None
        self._waiting.unregister(self.sock)
        self.sock.close()
        self.sock = None
        self.again_at = time.monotonic() + AGAIN_S

    def end(self) -> None:
        """Close for good, if it is one that comes and goes: an open one would count as a ghost of the server's."""
        if self.sock is not None and self._attack.leaves:
            self.close()

    def leave(self) -> None:
        """Close without being asked, every other time by a reset, and come again at once."""
        assert self.sock is not None
        if self.opened % 2:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()
        self.again_at = 0.0

    def act(self, events: int) -> None:
        """Send and receive what can be now."""
        assert self.sock is not None
        try:
            if events & selectors.EVENT_READ:
                self._read(self.sock.recv(1 << 18))
            if self.sock is not None and events & selectors.EVENT_WRITE:
                self._write()
        except BlockingIOError:
            pass
        except OSError:
            if self.sock is not None:
                self.close()

    def go_on(self) -> None:
        """Send the next stream."""
        self.due = math.inf
        if self.sock is not None:
            self._want(selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _read(self, data: bytes) -> None:
        if not data:
            self.close()
            if self._attack.half_closes:
                self.again_at = 0.0
            return
        if not self.welcome:
            self._heard = (self._heard + data)[-4_096:]
            self.welcome = _WELCOME in self._heard
            self.welcomes += self.welcome
            if self.welcome and self._attack.leaves:
                self.leave()
            elif self.welcome:
                self._want(selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _write(self) -> None:
        assert self.sock is not None
        if self._left:
            count = self.sock.send(self._left)
            self.sent += count
            self._left = self._left[count:]
        if self._left:
            return
        if self.welcome and self._stream:
            self._left = memoryview(self._stream)
            if self._attack.every_s:
                self.due = time.monotonic() + self._attack.every_s
                self._want(selectors.EVENT_READ)
        elif self.welcome and self._attack.leaves:
            self.leave()
        else:
            self._want(selectors.EVENT_READ)
            if self._attack.half_closes:
                self.sock.shutdown(socket.SHUT_WR)

    def _want(self, events: int) -> None:
        assert self.sock is not None
        self._waiting.modify(self.sock, events, self)


def run(waiting: selectors.BaseSelector, all_: list[Connection], until: float, *, ready: bool = False) -> None:
    """Attack until then, or until all are welcome for the first time."""
    while (now := time.monotonic()) < until and not (ready and all(one.welcome or one.opened > 1 for one in all_)):
        for one in all_:
            if one.sock is None and one.again_at <= now:
                with contextlib.suppress(OSError):
                    one.open()
            elif one.due <= now:
                one.go_on()
        for key, events in waiting.select(0.01):
            if key.data is None:
                return
            key.data.act(events)


def work(*, port: int, kinds: dict[str, int], addresses: list[str], seconds: float = 120.0) -> Iterator[Any]:
    """Attack for some seconds, from when it is ready on, or until the figures are asked for.

    Args:
        port: The server's.
        kinds: How many connections attack in which way, for each address.
        addresses: Where they come from.
        seconds: How long, at most.
    """
    waiting = selectors.DefaultSelector()
    all_ = [
        Connection(ATTACKS[kind], port, address, waiting)
        for address in addresses
        for kind, count in kinds.items()
        for _ in range(count)
    ]
    run(waiting, all_, time.monotonic() + READY_S, ready=True)
    yield None
    if not asked():
        return
    waiting.register(sys.stdin, selectors.EVENT_READ)
    run(waiting, all_, time.monotonic() + seconds)
    for one in all_:
        one.end()
    yield {
        "sent_mib": sum(one.sent for one in all_) / 1048576,
        "opened": sum(one.opened for one in all_),
        "welcomes": sum(one.welcomes for one in all_),
    }


if __name__ == "__main__":
    take_part(work)
