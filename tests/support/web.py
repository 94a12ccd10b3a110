"""Clients of a web door: HTTP and WebSocket over plain sockets, so that tests may break each rule."""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

from sockctl.events.journal import Journal
from sockctl.net.limits import Timeouts
from sockctl.net.listener import Listeners, open_listeners
from sockctl.net.service import Service
from sockctl.net.web.addresses import Addresses
from sockctl.net.web.door import WebDoor
from sockctl.net.web.site import File, Site
from sockctl.protocol.web_frames import CLOSE, CONTINUATION, FIN, TEXT, encode_web_frame
from tests.support.running import TIMEOUT_S, Running, receive_exactly, running

PAGE = File(b"<!doctype html><title>page</title>", "text/html; charset=utf-8", '"1"')
SITE = Site({"/": PAGE, "/page.js": File(b"let x;", "text/javascript; charset=utf-8", '"2"')})
MASK = b"\x01\x02\x03\x04"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What RFC 6455, section 1.3, answers to that key."""


def mask(data: bytes) -> bytes:
    return bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))


def encode_client_frame(data: bytes, opcode: int = TEXT, *, fin: bool = True) -> bytes:
    """Return a frame as a client sends it."""
    plain = encode_web_frame(data, opcode)
    head = len(plain) - len(data)
    first = plain[0] if fin else plain[0] & ~FIN
    return bytes((first, plain[1] | 0x80)) + plain[2:head] + MASK + mask(data)


def make_request(path: str = "/", *headers: str, method: str = "GET", host: str = "localhost", line: str = "") -> bytes:
    hosts = [f"Host: {host}"] if host else []
    return "\r\n".join([line or f"{method} {path} HTTP/1.1", *hosts, *headers, "", ""]).encode()


UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
)


class Answer:
    """An answer to an HTTP request."""

    def __init__(self, head: bytes, body: bytes) -> None:
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        self.body = body


def receive_head(sock: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, f"the connection ended after {head!r}"
        head += byte
    return head


def receive_answer(sock: socket.socket, *, has_body: bool = True) -> Answer:
    answer = Answer(receive_head(sock), b"")
    if has_body:
        answer.body = receive_exactly(sock, int(answer.headers.get("content-length", "0")))
    return answer


class WebClient:
    """A WebSocket client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, data: bytes, opcode: int = TEXT, *, fin: bool = True) -> None:
        self.sock.sendall(encode_client_frame(data, opcode, fin=fin))

    def say(self, kind: str, text: str = "", **fields: Any) -> None:
        self.send(json.dumps({"kind": kind, "text": text, **fields}).encode())

    def receive(self) -> tuple[int, bytes]:
        """Receive one frame; the server's are whole."""
        first, size = receive_exactly(self.sock, 2)
        assert first & FIN
        assert not size & 0x80, "a server's frames aren't masked"
        if size == 126:
            (size,) = struct.unpack(">H", receive_exactly(self.sock, 2))
        elif size == 127:
            (size,) = struct.unpack(">Q", receive_exactly(self.sock, 8))
        return first & 0x0F, receive_exactly(self.sock, size)

    def hear(self) -> dict[str, Any]:
        """Receive a message."""
        opcode, data = self.receive()
        assert opcode == TEXT, (opcode, data)
        message: dict[str, Any] = json.loads(data)
        return message

    def hear_close(self) -> int:
        """Receive up to a Close frame; return its code."""
        while True:
            opcode, data = self.receive()
            if opcode == CLOSE:
                return int(struct.unpack(">H", data[:2])[0]) if data else 1005


def drip_until_closed(client: WebClient, data: bytes, opcode: int) -> int:
    """Send a fragment or a control frame now and then, and nothing else, until a Close frame comes; return its code."""
    client.sock.settimeout(0.05)
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        client.send(data, opcode, fin=opcode != CONTINUATION)
        try:
            client.sock.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            continue
        client.sock.settimeout(TIMEOUT_S)
        found, told = client.receive()
        if found == CLOSE:
            return int(struct.unpack(">H", told[:2])[0])
        client.sock.settimeout(0.05)
    raise AssertionError("the client is still there")


def open_websocket(sock: socket.socket, *headers: str, host: str = "localhost") -> WebClient:
    sock.sendall(make_request("/", *UPGRADE, *headers, host=host))
    answer = receive_answer(sock, has_body=False)
    assert answer.status == 101, answer.headers
    assert answer.headers["sec-websocket-accept"] == ACCEPT
    return WebClient(sock)


class WebRunning:
    """A server in this process, with a web door."""

    def __init__(self, run: Running, port: int) -> None:
        self.run = run
        self.port = port
        self.sink = run.sink

    @contextlib.contextmanager
    def client(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S) as sock:
            yield sock

    @contextlib.contextmanager
    def websocket(self, *headers: str) -> Iterator[WebClient]:
        with self.client() as sock:
            yield open_websocket(sock, *headers)

    def ask(self, *parts: bytes, has_body: bool = True) -> Answer:
        """Send parts of a request on a new connection, and return the answer."""
        with self.client() as sock:
            for part in parts:
                sock.sendall(part)
            return receive_answer(sock, has_body=has_body)


@contextlib.contextmanager
def web_running(
    service: Service, *, names: tuple[str, ...] = (), timeouts: Timeouts | None = None, **options: Any
) -> Iterator[WebRunning]:
    """Run a server with a web door beside its own."""
    timeouts = timeouts or Timeouts(linger_s=0.2)
    opened: list[Listeners] = []

    def make_doors(service: Service, journal: Journal) -> list[WebDoor]:
        listeners = open_listeners("127.0.0.1", 0)
        opened.append(listeners)
        return [WebDoor(service, listeners, journal, timeouts, site=SITE, addresses=Addresses(names))]

    with running(service, timeouts=timeouts, host="127.0.0.1", make_doors=make_doors, **options) as run:
        yield WebRunning(run, opened[0].port)
