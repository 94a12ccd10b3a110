"""HTTP at the beginning of a web connection: files, refusals, limits, and the change to WebSocket."""

import contextlib
import socket
import time

import pytest

from sockctl.events.reasons import DisconnectReason, RefusalReason
from sockctl.net.input_budget import InputRates
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.web.http_conversation import HEAD_BYTES
from sockctl.services.echo import Echo
from tests.support.message_services import Parrot
from tests.support.raw_services import handler_threads, reason_of
from tests.support.running import TIMEOUT_S, receive_all, wait_until
from tests.support.web import (
    PAGE,
    UPGRADE,
    encode_client_frame,
    make_request,
    receive_answer,
    web_running,
)

CLOSE = "Connection: close"


def test_the_page_has_its_headers() -> None:
    with web_running(Parrot()) as run:
        answer = run.ask(make_request("/", CLOSE, host=f"localhost:{run.port}"))
    assert (answer.status, answer.body) == (200, PAGE.data)
    headers = answer.headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' ws://localhost:{run.port}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["content-type"] == PAGE.media_type
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    for name in ("opener-policy", "resource-policy"):
        assert headers[f"cross-origin-{name}"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["cache-control"] == "no-cache"
    assert headers["etag"] == PAGE.etag


@pytest.mark.parametrize(
    ("host", "sources", "trusted"),
    [
        ("[::1]:80", "'self'", True),
        ("127.0.0.1:80", "'self' ws://127.0.0.1:80", True),
        ("192.0.2.7", "'self' ws://192.0.2.7", False),
        ("chat.example", "'self' ws://chat.example", False),
    ],
)
def test_headers_that_browsers_would_complain_of_are_left_out(host: str, sources: str, trusted: bool) -> None:
    with web_running(Parrot(), names=("chat.example",)) as run:
        headers = run.ask(make_request("/", host=host)).headers
    assert f"connect-src {sources};" in headers["content-security-policy"]
    assert ("cross-origin-opener-policy" in headers) is trusted


def test_a_connection_serves_several_requests() -> None:
    with web_running(Parrot()) as run, run.client() as sock:
        sock.sendall(make_request() + make_request("/page.js") + make_request("/?a=b", method="HEAD"))
        assert receive_answer(sock).body == PAGE.data
        assert receive_answer(sock).body == b"let x;"
        head = receive_answer(sock, has_body=False)
        assert (head.status, head.headers["content-length"]) == (200, str(len(PAGE.data)))
        sock.sendall(make_request("/", f"If-None-Match: {PAGE.etag}"))
        assert receive_answer(sock).status == 304
        sock.sendall(make_request("/", CLOSE))
        assert receive_answer(sock).headers["connection"] == "close"
        assert receive_all(sock) == b""
        requests = run.sink.wait_for("request_answered", 5)
        assert [(one.method, one.target, one.status) for one in requests][2] == ("HEAD", "/?a=b", 200)
    assert not run.run.service.peers  # type: ignore[attr-defined]  # the service knows of no such client


def test_rubbish_behind_a_head_request_is_refused_with_a_text() -> None:
    with web_running(Parrot()) as run, run.client() as sock:
        sock.sendall(make_request(method="HEAD"))
        assert receive_answer(sock, has_body=False).status == 200
        sock.sendall(b"rubbish\r\n\r\n")
        refusal = receive_answer(sock)
        assert (refusal.status, refusal.body[:22]) == (400, b"That is no HTTP reques")
        assert receive_all(sock) == b""
        assert not run.sink.named("service_failed")


def test_the_client_may_half_close_behind_its_request() -> None:
    with web_running(Echo()) as run, run.client() as sock:
        sock.sendall(make_request())
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock).endswith(PAGE.data)
        assert reason_of(run.run) == DisconnectReason.CLIENT_CLOSED


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (make_request("/nope"), 404),
        (make_request("/nope", *UPGRADE), 404),
        (make_request("/../etc/passwd"), 404),
        (make_request("/%2e%2e/etc/passwd"), 404),
        (make_request("http://evil.example/"), 404),
        (make_request("/", method="POST"), 405),
        (make_request("/", "Content-Length: 3", method="PUT") + b"abc", 405),
        (make_request("*", method="OPTIONS"), 405),
        (make_request("/", *UPGRADE, method="POST"), 405),
        (make_request("/nope", method="HEAD"), 404),
        (make_request("/", host=""), 400),
        (make_request("/", "Host: localhost"), 400),
        (make_request(line="nonsense"), 400),
        (make_request("/", "Bad Header: 1"), 400),
        (make_request("/", "Content-Length: x"), 400),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
        (make_request("/", host="evil.example"), 421),
        (make_request("/", host="127.0.0.1.evil.example"), 421),
        (make_request("/", host="evil.example", line="GET / HTTP/1.0"), 421),
        (make_request("/", host="", line="GET / HTTP/1.0"), 421),
        (make_request("/", *UPGRADE, host="evil.example:80"), 421),
        (make_request("/", *UPGRADE, "Origin: http://evil.example"), 403),
        (make_request("/", *UPGRADE, "Origin: null"), 403),
        (make_request("/", *UPGRADE, "Origin: http://localhost", "Origin: http://evil.example"), 403),
        (make_request("/", "Origin: http://evil.example"), 403),
        (make_request("/", *UPGRADE[:3], "Sec-WebSocket-Version: 8"), 426),
        (make_request("/", *UPGRADE[:3]), 426),
        (make_request("/", "Upgrade: websocket", *UPGRADE[2:]), 426),
        (make_request("/", *UPGRADE[:2], "Sec-WebSocket-Key: short", UPGRADE[3]), 400),
        (make_request("/", *UPGRADE[:2], UPGRADE[3]), 400),
        (make_request("/", *UPGRADE, "X: \x1e"), 400),
    ],
)
def test_what_is_refused_and_how(request_bytes: bytes, status: int) -> None:
    with web_running(Echo()) as run:
        answer = run.ask(request_bytes, has_body=b"HEAD" not in request_bytes)
        assert answer.status == status
        assert answer.headers["connection"] == "close"
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        refused = run.sink.wait_for("request_refused")[0]
        assert refused.status == status
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD"
    if status == 426:
        assert answer.headers["upgrade"] == "websocket"
    if b"HEAD" not in request_bytes:
        assert answer.body.decode().strip() == refused.error


def test_a_name_of_the_server_is_answered() -> None:
    with web_running(Echo(), names=("chat.example",)) as run:
        assert run.ask(make_request(host="Chat.example")).status == 200
        assert run.ask(make_request(host="evil.example")).status == 421


@pytest.mark.parametrize("origin", [[], ["Origin: http://localhost"], ["Origin: https://localhost"]])
def test_the_own_page_and_programs_may_open_a_websocket(origin: list[str]) -> None:
    with web_running(Echo()) as run, run.websocket(*origin) as client:
        client.send(b"hello")
        assert client.receive() == (1, b"hello")
        opened = run.sink.wait_for("web_socket_opened")[0]
        assert opened.origin == (origin[0].removeprefix("Origin: ") if origin else None)


def test_no_extension_is_agreed_on() -> None:
    with web_running(Echo()) as run:
        answer = run.ask(make_request("/", *UPGRADE, "Sec-WebSocket-Extensions: permessage-deflate"), has_body=False)
        assert answer.status == 101
        assert "sec-websocket-extensions" not in answer.headers


def test_another_upgrade_is_passed_over() -> None:
    with web_running(Echo()) as run:
        assert run.ask(make_request("/", "Connection: Upgrade", "Upgrade: h2c")).status == 200


@pytest.mark.parametrize("at_once", [True, False])
def test_a_head_has_a_limit(at_once: bool) -> None:
    def make(size: int) -> bytes:
        return make_request("/", "X: " + "x" * (size - len(make_request("/", "X: "))))

    assert len(make(HEAD_BYTES)) == HEAD_BYTES
    with web_running(Echo()) as run:
        for size, status in ((HEAD_BYTES, 200), (HEAD_BYTES + 1, 431), (20_000, 431)):
            data = make(size)
            parts = [data] if at_once else [data[:100], data[100:-5], data[-5:]]
            if size > 10_000:
                parts = [data[:10_000]]  # else the rest meets a closed socket
            assert run.ask(*parts).status == status


def test_a_head_that_takes_too_long_is_refused() -> None:
    with web_running(Echo(), timeouts=Timeouts(head_s=1.5, linger_s=0.2)) as run, run.client() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        answer = receive_answer(sock)
        assert answer.status == 408
        assert "1.5 s" in answer.body.decode()


def test_a_byte_now_and_then_doesnt_stretch_the_time() -> None:
    with web_running(Echo(), timeouts=Timeouts(head_s=1.5, linger_s=0.2)) as run, run.client() as sock:
        began = time.monotonic()
        sock.settimeout(0.05)
        data = b""
        while not data:
            sock.sendall(b"G")
            try:
                data = sock.recv(100)
            except TimeoutError:
                continue
        assert data.startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < TIMEOUT_S


def test_a_connection_that_asks_for_nothing_ends_without_a_word() -> None:
    with web_running(Echo(), timeouts=Timeouts(head_s=0.2, linger_s=0.2)) as run, run.client() as sock:
        assert receive_all(sock) == b""
        assert reason_of(run.run) == DisconnectReason.SERVER_CLOSED
        assert not run.sink.named("request_refused")
        wait_until(lambda: not handler_threads())


def make_budget(flooding_s: float) -> Limits:
    """Return limits under which an address has any budget, and a stranger's connection hardly one."""
    return Limits(
        stranger_input=InputRates(
            rate=0.01, burst_s=0.001, address_rate=1.0, address_burst_s=1.0, flooding_s=flooding_s
        )
    )


def test_a_flood_of_requests_waits_for_its_budget() -> None:
    with web_running(Echo(), limits=make_budget(20.0)) as run, run.client() as sock:
        began = time.monotonic()
        sock.sendall(make_request() * 50)
        for _ in range(50):
            assert receive_answer(sock).status == 200
        assert time.monotonic() - began > 0.3


def test_who_goes_on_flooding_with_requests_is_put_out() -> None:
    with web_running(Echo(), limits=make_budget(0.2)) as run, run.client() as sock:
        flood_until_ended(sock, make_request())
        assert reason_of(run.run) == DisconnectReason.FLOODING


def test_who_floods_with_bytes_of_a_head_is_put_out() -> None:
    limits = make_budget(0.2)
    with web_running(Echo(), limits=limits, timeouts=Timeouts(head_s=60.0)) as run, run.client() as sock:
        flood_until_ended(sock, b"G")
        assert reason_of(run.run) == DisconnectReason.FLOODING


def flood_until_ended(sock: socket.socket, data: bytes) -> None:
    """Send again and again: a server that a busy machine holds up finds the client within its budget in between."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(0.001)
    with contextlib.suppress(ConnectionError):
        while not is_ended(sock):
            with contextlib.suppress(TimeoutError):  # the server reads on later
                sock.sendall(data)


def is_ended(sock: socket.socket) -> bool:
    try:
        return not sock.recv(65_536)
    except TimeoutError:
        return False


def test_a_stopping_server_waits_for_no_request() -> None:
    with web_running(Echo()) as run, run.client() as sock:
        sock.sendall(b"GET / HT")
        run.sink.wait_for("client_connected")
        began = time.monotonic()
        assert run.run.stop(TIMEOUT_S)
        assert time.monotonic() - began < TIMEOUT_S / 2


def test_a_client_without_a_place_is_told() -> None:
    with web_running(Echo(), limits=Limits(max_clients=1)) as run, run.websocket():
        answer = run.ask(b"")
        assert (answer.status, answer.body) == (503, b"All places are taken: come back later.\r\n")
        assert run.sink.wait_for("client_refused")[0].reason == RefusalReason.TOO_MANY_CLIENTS


def test_browsers_that_only_look_stay_pending() -> None:
    with web_running(Echo(), limits=Limits(max_clients=8, max_pending=1)) as run:
        with run.client() as sock:
            sock.sendall(make_request())
            receive_answer(sock)
            assert run.ask(b"").status == 503
        run.sink.wait_for("client_disconnected")
        with run.websocket() as one:
            one.send(b"a")
            one.receive()
            with run.websocket() as other:
                other.send(b"b")
                assert other.receive() == (1, b"b")


def test_frames_behind_the_request_are_read() -> None:
    with web_running(Echo()) as run, run.client() as sock:
        sock.sendall(make_request("/", *UPGRADE) + encode_client_frame(b"early"))
        receive_answer(sock, has_body=False)
        assert sock.recv(100) == b"\x81\x05early"


def test_the_own_door_stays_as_it_was() -> None:
    with web_running(Echo()) as run, run.run.client() as sock, run.websocket() as client:
        sock.sendall(b"bytes")
        assert sock.recv(10) == b"bytes"
        client.send(b"message")
        assert client.receive() == (1, b"message")


@pytest.mark.parametrize(
    "request_bytes",
    [
        make_request("/", "Content-Length: 34") + make_request("/"),
        make_request("/", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + make_request("/"),
        make_request("/", "Transfer-Encoding: chunked", "Content-Length: 9") + b"0\r\n\r\n" + make_request("/"),
        make_request("/", "Transfer-Encoding: chunked", "Content-Length: 0", line="GET / HTTP/1.0") + b"0\r\n\r\n",
        make_request("/", "Content-Length: 1, 2"),
        make_request("/", "Content-Length: 1", "Content-Length: 2"),
        make_request("/", *UPGRADE, "Content-Length: 7") + encode_client_frame(b"x"),
        make_request("/", *UPGRADE, "Transfer-Encoding: chunked") + b"0\r\n\r\n" + encode_client_frame(b"x"),
        make_request("/", "Expect: 100-continue", "Content-Length: 5"),
    ],
)
def test_a_body_smuggles_nothing(request_bytes: bytes) -> None:
    with web_running(Echo()) as run, run.client() as sock:
        sock.sendall(request_bytes)
        answers = receive_all(sock)
        assert answers.startswith(b"HTTP/1.1 400 ")
        assert answers.count(b"HTTP/1.1") == 1
        assert not run.sink.named("web_socket_opened")


def test_an_empty_body_is_none() -> None:
    with web_running(Echo()) as run, run.websocket("Content-Length: 0") as client:
        client.send(b"hello")
        assert client.receive() == (1, b"hello")


@pytest.mark.parametrize(
    ("request_bytes", "statuses"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}),
        (make_request("/", *UPGRADE, line="GET / HTTP/9.9"), {505}),
        (make_request("/", *UPGRADE, line="GET / HTTP/1.0"), {400, 505}),
        (make_request("/", *UPGRADE, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), {400}),
        (make_request("/", *UPGRADE, "Sec-WebSocket-Version: 8"), {400, 426}),
        (make_request("/", *UPGRADE, host="localhost\r\n evil.example"), {400, 421}),
        (make_request("/", *UPGRADE, host="localhost,evil.example"), {421}),
        (make_request("/", *UPGRADE, host="localhost@evil.example"), {421}),
        (make_request("/", *UPGRADE, host="localhost:99999"), {421}),
        (make_request("/", *UPGRADE, host="2130706433"), {421}),
        (make_request("http://localhost/", *UPGRADE), {404}),
        (make_request("//", *UPGRADE), {404}),
    ],
)
def test_an_odd_request_opens_nothing(request_bytes: bytes, statuses: set[int]) -> None:
    with web_running(Echo()) as run:
        answer = run.ask(request_bytes)
        assert answer.status in statuses
        assert answer.headers["connection"] == "close"
        assert not run.sink.named("web_socket_opened")


def test_requests_behind_one_for_a_websocket_are_no_requests() -> None:
    with web_running(Echo()) as run, run.client() as sock:
        sock.sendall(make_request("/", *UPGRADE) + make_request("/"))
        answers = receive_all(sock)
        assert answers.startswith(b"HTTP/1.1 101 ")
        assert answers.count(b"HTTP/1.1") == 1
        assert b"\x88" in answers  # the rest is a frame that isn't masked
