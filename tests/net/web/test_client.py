"""The beginning of a client's WebSocket, against servers that the test plays."""

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from sockctl.errors import (
    ConnectionBrokenError,
    ConnectTimeoutError,
    NotWebSocketError,
    SockctlError,
    TlsError,
    TurnedAwayError,
)
from sockctl.net.address import Endpoint
from sockctl.net.web.client import HEAD_BYTES, WebRequest, open_websocket
from tests.support.running import TIMEOUT_S
from tests.support.web import receive_head

SERVER = Endpoint("server.example", 9080)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
Answer = Callable[[socket.socket, str], None]


def make_request(**options: object) -> WebRequest:
    return WebRequest(**{"encrypted": False, "resource": "/a?b", **options})  # type: ignore[arg-type]  # fields of it


@contextlib.contextmanager
def played(answer: Answer) -> Iterator[tuple[socket.socket, list[str]]]:
    """Play a server that reads a request and answers; yield the client's socket and the requests."""
    near, far = socket.socketpair()
    far.settimeout(TIMEOUT_S)
    requests: list[str] = []

    def serve() -> None:
        with far:
            requests.append(receive_head(far).decode())
            answer(far, requests[0])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with near:
            yield near, requests
    finally:
        thread.join(TIMEOUT_S)


def agreeing(*headers: str, behind: bytes = b"", status: str = "101 Switching Protocols") -> Answer:
    def answer(sock: socket.socket, request: str) -> None:
        key = next(line for line in request.split("\r\n") if line.startswith("Sec-WebSocket-Key: "))[19:]
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()  # noqa: S324  as RFC 6455 wants
        own = [f"HTTP/1.1 {status}", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}"]
        sock.sendall("\r\n".join([*own, *headers, "", ""]).encode() + behind)

    return answer


def saying(data: bytes) -> Answer:
    def answer(sock: socket.socket, _: str) -> None:
        with contextlib.suppress(OSError):  # the client may have read enough
            sock.sendall(data)

    return answer


def open_at(answer: Answer, *, timeout_s: float = TIMEOUT_S, **options: object) -> str | None:
    with played(answer) as (sock, _):
        return open_websocket(sock, SERVER, make_request(**options), timeout_s)


def refuse(answer: Answer, kind: type[SockctlError], **options: float | bool) -> str:
    with pytest.raises(kind) as caught:
        open_at(answer, **options)
    return str(caught.value)


def test_the_request_and_what_comes_behind_the_answer() -> None:
    with played(agreeing(behind=b"\x81\x02hi")) as (sock, requests):
        headers = [("X-One", "1"), ("Origin", "https://page.example")]
        assert open_websocket(sock, SERVER, make_request(headers=headers), TIMEOUT_S) is None
        sock.settimeout(TIMEOUT_S)
        assert sock.recv(100) == b"\x81\x02hi", "no byte behind the head is taken"
    lines = requests[0].split("\r\n")
    assert lines[0] == "GET /a?b HTTP/1.1"
    assert {"Host: server.example:9080", "X-One: 1", "Origin: https://page.example"} <= set(lines)
    assert not any(line.startswith("Sec-WebSocket-Extensions") for line in lines)


@pytest.mark.parametrize(
    ("endpoint", "encrypted", "host"),
    [
        (Endpoint("::1", 9080), False, "[::1]:9080"),
        (Endpoint("fe80::1%lo", 80), False, "[fe80::1]"),
        (Endpoint("Bücher.example", 443), True, "xn--bcher-kva.example"),
    ],
)
def test_the_host_of_the_request(endpoint: Endpoint, encrypted: bool, host: str) -> None:
    with played(agreeing()) as (sock, requests):
        open_websocket(sock, endpoint, make_request(encrypted=encrypted), TIMEOUT_S)
    assert f"Host: {host}" in requests[0].split("\r\n")


def test_a_host_of_the_users_own() -> None:
    with played(agreeing()) as (sock, requests):
        open_websocket(sock, SERVER, make_request(headers=[("Host", "other.example")]), TIMEOUT_S)
    assert requests[0].count("Host:") == 1
    assert "Host: other.example" in requests[0]


def test_hints_ahead_are_passed_over() -> None:
    def answer(sock: socket.socket, request: str) -> None:
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        agreeing()(sock, request)

    assert open_at(answer) is None


def test_subprotocols() -> None:
    assert open_at(agreeing("Sec-WebSocket-Protocol: two"), subprotocols=["one", "two"]) == "two"
    none = refuse(agreeing(), NotWebSocketError, subprotocols=["one", "two"])  # type: ignore[arg-type]  # as in `refuse`
    assert "speaks no subprotocol that --subprotocol names: one, two" in none
    assert "didn't ask for" in refuse(agreeing("Sec-WebSocket-Protocol: two"), NotWebSocketError)
    assert "didn't ask for" in refuse(agreeing("Sec-WebSocket-Extensions: permessage-deflate"), NotWebSocketError)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            NotWebSocketError,
            "answers 404 Not Found. Is the path",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>",
            NotWebSocketError,
            "200 OK, and opens no WebSocket at /a?b. Is it a server of WebSocket, and is the path right?",
        ),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://evil.example/\x1b[2J\r\n\r\n",
            NotWebSocketError,
            "is at wss://evil.example/\u241b[2J now",
        ),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://two.example/x\r\n\r\n",
            NotWebSocketError,
            "answers 301 Moved: what was at /a?b is at wss://two.example/x now. The client doesn't go there by itself",
        ),
        (b"HTTP/1.1 401 No\r\n\r\n", TurnedAwayError, "answers 401 No. --header-file gives credentials."),
        (
            b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nCome\nbye",
            TurnedAwayError,
            "answers 503 Busy. Come bye.",
        ),
        (b"HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 2_000, NotWebSocketError, "x" * 200 + "."),
        (
            b"SSH-2.0-OpenSSH_9.2\r\nmore",
            NotWebSocketError,
            "begins with 'SSH-2.0-OpenSSH_9.2'. tcp://server.example:90",
        ),
        (b"\x1b[2J\r\n", NotWebSocketError, "begins with '\u241b[2J'"),
        (b"sockctl/1 chat\r\n", NotWebSocketError, "write sockctl://server.example:9080"),
        (b"\x15\x03\x01\x00\x02\x02\x46", TlsError, "speaks TLS: write wss://server.example:9080/a?b"),
        (b"", NotWebSocketError, "ended the connection instead of opening a WebSocket"),
        (b"HTTP/1.1 101 ", NotWebSocketError, "ended the connection instead of opening a WebSocket"),
        (b"HTTP/1.1 xyz\r\n\r\n", NotWebSocketError, "answers in wrong HTTP"),
        (b"HTTP/1.1 404 No\nContent-Length: 0\n\r\n", NotWebSocketError, "answers 404 No"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES, NotWebSocketError, "a head of more than 16,384 bytes"),
        (
            b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            NotWebSocketError,
            "agrees to a WebSocket in a wrong form",
        ),
    ],
)
def test_servers_that_open_no_websocket(data: bytes, kind: type[SockctlError], words: str) -> None:
    assert words in refuse(saying(data), kind)


def test_a_silent_server() -> None:
    def wait(sock: socket.socket, _: str) -> None:
        sock.recv(1)

    assert "did not answer the request for a WebSocket within 0.1 s" in refuse(wait, ConnectTimeoutError, timeout_s=0.1)


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    def answer(sock: socket.socket, _: str) -> None:
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nab")
        sock.recv(1)

    assert "answers 404 Not Found. ab." in refuse(answer, NotWebSocketError)


def test_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), TIMEOUT_S)
        far, _ = listener.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        with pytest.raises(ConnectionBrokenError, match="broke the connection off"):
            open_websocket(near, SERVER, make_request(), TIMEOUT_S)
        assert near.fileno() == -1, "it is closed"


def test_a_request_shows_no_secret() -> None:
    assert "s3cret" not in repr(make_request(headers=[("Authorization", "s3cret")]))
