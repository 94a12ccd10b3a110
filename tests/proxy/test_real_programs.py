"""What curl, openssl, websockets and sockctl itself send is recognised."""

import contextlib
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect as connect_websocket

from sockctl.proxy.http_heads import HttpRequest, HttpResponse
from sockctl.proxy.message_reading import MessageSeen
from sockctl.proxy.seen import HIDDEN, Seen
from sockctl.proxy.tls_hello import ClientHello, ServerHello
from sockctl.proxy.tls_reading import TlsRecord
from sockctl.services.echo import Echo
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.inspecting import FROM, TO, count_kinds
from tests.support.recorder import recording
from tests.support.running import TIMEOUT_S, running, server_process, sockctl
from tests.support.tls import securing, self_signed
from tests.support.tools import unavailable
from tests.support.web import web_running

GOES_ON = {"given_up", "bytes", "cut_off"}


def check_whole(seen: list[Seen], passed: tuple[bytearray, bytearray]) -> None:
    """See that everything was understood, and that each byte belongs to something."""
    assert not GOES_ON & {one.kind for one in seen}
    for towards in (FROM, TO):
        assert sum(one.size for one in seen if one.towards_target == towards) == len(passed[towards])


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers with a page in chunks, and with what was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n0\r\n\r\n")

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def pages() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_curl_over_one_connection() -> None:
    if not shutil.which("curl"):
        unavailable("curl")
    with pages() as target, recording(target) as recorder:
        url = f"http://127.0.0.1:{recorder.port}"
        subprocess.run(
            ["curl", "-sS", "-u", f"ann:{PASSWORD}", f"{url}/a?b=c", "--next", "-sS", "-d", "x=1", f"{url}/d"],
            check=True,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
        seen = recorder.wait()
        check_whole(seen, recorder.passed)
    first, second = (one for one in seen if isinstance(one, HttpRequest))
    assert (first.method, first.target, second.method, second.body_bytes) == ("GET", "/a?b=c", "POST", 3)
    assert ("Authorization", f"Basic {HIDDEN}") in first.headers
    assert [one.status for one in seen if isinstance(one, HttpResponse)] == [200, 201]


@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLS 1.2"), ("-tls1_3", "TLS 1.3")])
def test_openssl(tmp_path: Path, option: str, version: str) -> None:
    secure = securing(self_signed(tmp_path))
    with running(Echo(), secure=secure, host="127.0.0.1") as run, recording(run.port) as recorder:
        subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{recorder.port}", "-servername", "a.example", option],
            input=b"hello\nQ\n",
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        seen = recorder.wait()
        check_whole(seen, recorder.passed)
    hellos = [one.hello for one in seen if isinstance(one, TlsRecord) and one.hello]
    assert isinstance(hellos[0], ClientHello)
    assert (hellos[0].server_name, hellos[0].versions) == ("a.example", (version,))
    assert isinstance(hellos[1], ServerHello)
    assert hellos[1].version == version
    assert hellos[1].cipher.startswith("TLS_")
    assert "tls_data" in {one.kind for one in seen}


def test_a_websocket_of_the_library() -> None:
    with web_running(Echo()) as web, recording(web.port) as recorder:
        address = f"ws://127.0.0.1:{recorder.port}/"
        with connect_websocket(address, compression=None, open_timeout=TIMEOUT_S) as websocket:
            websocket.send("grüße")
            assert websocket.recv(TIMEOUT_S) == "grüße"
        seen = recorder.wait()
        check_whole(seen, recorder.passed)
    assert count_kinds(seen)[:4] == ["> http_request", "< http_response", "> websocket_frame", "< websocket_frame"]
    assert seen[2].text == "WebSocket text frame (7 bytes): grüße"
    assert seen[-1].text.startswith("WebSocket close frame")


def test_a_login_of_sockctl_without_its_password(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with server_process("auth", "--data-dir", str(tmp_path)) as (_, target), recording(target) as recorder:
        script = f"ann\n{PASSWORD}\n/whoami\n".encode()
        run = sockctl("connect", f"sockctl://127.0.0.1:{recorder.port}", stdin=script)
        assert run.returncode == 0, run.stderr
        seen = recorder.wait()
        check_whole(seen, recorder.passed)
    messages = [one.message for one in seen if isinstance(one, MessageSeen)]
    assert "welcome" in {one["kind"] for one in messages}
    assert PASSWORD.encode() in recorder.passed[TO]
    assert PASSWORD not in f"{[(one.text, one.fields) for one in seen]}"
