"""``sockctl proxy`` as a process, between the tools that people know."""

import contextlib
import json
import random
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.net.fingerprints import read_fingerprint
from sockctl.services.echo import Echo
from tests.support.other_user import needs_root
from tests.support.running import (
    CLOSED_PORT,
    SOCKCTL,
    START_S,
    TIMEOUT_S,
    Process,
    exchange,
    free_port,
    process,
    receive_exactly,
    running,
    server_process,
    sockctl,
)
from tests.support.tls import securing, self_signed, tls_client
from tests.support.tools import tool

DATA = random.Random(23).randbytes(300_000)
PACKAGES = {"nc": "netcat-openbsd", "ncat": "ncat", "socat": "socat"}


@contextlib.contextmanager
def proxying(*arguments: str, **options: Any) -> Iterator[tuple[Process, int]]:
    """Start a proxy on a free port, with its events as JSON; return it with the port."""
    with process("proxy", "0", *arguments, "--log-format", "json", **options) as run:
        yield run, int(run.event("listening", timeout_s=START_S)["port"])


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with running(Echo(), host="127.0.0.1") as run:
        yield f"127.0.0.1:{run.port}"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """Serve a page by HTTP, and return where."""
    (tmp_path / "page.txt").write_bytes(DATA)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def run(*command: str, data: bytes = b"") -> bytes:
    return subprocess.run(command, input=data, capture_output=True, timeout=60, check=False).stdout


def test_curl_gets_the_page_and_the_proxy_names_the_request(page: str) -> None:
    with proxying(page) as (proxy, port):
        assert run(tool("curl", "curl"), "-s", f"http://127.0.0.1:{port}/page.txt") == DATA
        assert proxy.event("target_connected")["target"] == page
        request = proxy.event("data_passed")
        assert request["direction"] == "to_target"
        assert request["seen"][0]["kind"] == "http_request"
        assert "GET /page.txt" in request["text"]
        ended = proxy.event("client_disconnected")
        assert ended["bytes_out"] > len(DATA)
        assert proxy.end() == ExitCode.DONE
        assert "server_stopped" in proxy.events


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("nc", ["-N", "127.0.0.1", "PORT"]),
        ("ncat", ["127.0.0.1", "PORT"]),
        ("socat", ["-t", "10", "-", "TCP:127.0.0.1:PORT"]),
    ],
)
def test_their_clients_get_every_byte_back(name: str, arguments: list[str], echo: str) -> None:
    with proxying(echo) as (_, port):
        command = [tool(name, PACKAGES[name]), *[word.replace("PORT", str(port)) for word in arguments]]
        assert run(*command, data=DATA) == DATA


def test_a_unix_socket_on_both_sides(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    with process("serve", "echo", "--unix", str(inner), "--log-format", "json") as target:
        target.event("unix_listening")
        with process("proxy", f"unix:{outer}", f"unix:{inner}", "--log-format", "json") as proxy:
            proxy.event("unix_listening")
            socat = tool("socat", "socat")
            assert run(socat, "-t", "10", "-", f"UNIX-CONNECT:{outer}", data=DATA) == DATA
            assert proxy.event("target_connected")["address"] == f"unix:{inner}"
            assert proxy.end() == ExitCode.DONE
    assert not outer.exists()
    with process("proxy", "--unix", str(outer), f"unix:{inner}", "--log-format", "json") as proxy:
        proxy.event("unix_listening")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(outer))
            client.settimeout(TIMEOUT_S)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(10) == b""
        failed, ended = proxy.event("target_failed"), proxy.event("client_disconnected")
        assert "nothing listens on that socket" in failed["error"]
        assert all("A Unix socket has no resets" in event["text"] for event in (failed, ended))


def test_openssl_speaks_tls_to_the_proxy_and_plain_text_leaves_it(tmp_path: Path, echo: str) -> None:
    options = ("--tls", "--data-dir", str(tmp_path / "data"))
    with proxying(echo, *options) as (proxy, port):
        command = [tool("openssl", "openssl"), "s_client", "-quiet", "-connect", f"127.0.0.1:{port}"]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(b"hello\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"hello\n"
            client.terminate()
        proxy.event("tls_established")
        assert "hello" in json.dumps(proxy.event("data_passed"))
        with tls_client(port) as sock:
            sock.sendall(DATA)
            assert receive_exactly_tls(sock, len(DATA)) == DATA


def receive_exactly_tls(sock: ssl.SSLSocket, count: int) -> bytes:
    return receive_exactly(sock, count)


def test_the_target_is_verified_as_connect_does(tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    with running(Echo(), host="127.0.0.1", secure=securing(files)) as target:
        place = f"tls://127.0.0.1:{target.port}"
        state = ("--state-dir", str(tmp_path / "state"))
        with proxying(place, *state) as (proxy, port):
            with pytest.raises(ConnectionResetError), contextlib.closing(connect(port)) as client:
                client.recv(10)
            error = proxy.event("target_failed")["error"]
            assert "is not known yet" in error
            assert f"SHA256 {read_fingerprint(files[0])}. Compare that with what" in error
        for trust in (("--fingerprint", read_fingerprint(files[0])), ("--ca", str(files[0])), ("--accept-new",)):
            with proxying(place, *state, *trust) as (proxy, port):
                assert exchange(port, DATA) == DATA
                assert proxy.event("target_connected")["tls"].startswith("TLSv1.")


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    sock.settimeout(TIMEOUT_S)
    return sock


def test_messages_of_a_sockctl_server_are_named() -> None:
    with (
        server_process("talk", "--reply-with", "cat") as (_, port),
        proxying(f"sockctl://127.0.0.1:{port}") as (proxy, own_port),
    ):
        done = sockctl("connect", f"sockctl://127.0.0.1:{own_port}", "--send", "hello there", "--expect", "hello")
        assert done.returncode == 0, done.stderr
        proxy.wait_for('"kind": "message".*hello there')


def test_bytes_in_hex_and_in_files(tmp_path: Path, echo: str) -> None:
    log = tmp_path / "log"
    with process("proxy", "0", echo, "--hex", "--dump", str(tmp_path / "d"), "--log-file", str(log)) as proxy:
        port = int(proxy.wait_for(r"Listening on 127\.0\.0\.1:(\d+)", timeout_s=START_S)[1])
        assert exchange(port, DATA) == DATA
        assert proxy.end() == ExitCode.DONE
    shown = {"> ": b"", "< ": b""}
    for line in log.read_text().splitlines():
        if line[:2] in shown:
            shown[line[:2]] += bytes.fromhex(line[12:60])
    assert shown == {"> ": DATA, "< ": DATA}
    assert sorted(path.suffix for path in (tmp_path / "d").iterdir()) == [".to-client", ".to-target"]
    assert all(path.read_bytes() == DATA for path in (tmp_path / "d").iterdir())


def test_a_full_disk_under_dump_ends_the_file_and_not_the_connection(tmp_path: Path, echo: str) -> None:
    command = ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *SOCKCTL, "proxy", "0", echo, "--dump", str(tmp_path)]
    with subprocess.Popen([*command, "--log-format", "json"], stderr=subprocess.PIPE, text=True) as proxy:
        assert proxy.stderr is not None
        events = map(json.loads, proxy.stderr)
        port = next(event["port"] for event in events if event["event"] == "listening")
        assert exchange(port, DATA) == DATA
        failed = next(event for event in events if event["event"] == "dump_failed")
        assert "File too large" in failed["error"]
        assert failed["kept_bytes"] == Path(failed["file"]).stat().st_size < len(DATA)
        proxy.terminate()
        proxy.stderr.read()
        assert proxy.wait(TIMEOUT_S) == 0


def test_a_bad_network_says_so(echo: str) -> None:
    options = ("--delay", "20ms", "--rate", "1M", "--drop-after", "2000")
    with proxying(echo, *options) as (proxy, port):
        assert exchange(port, b"small") == b"small"
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            assert len(exchange(port, DATA)) < 2000
        proxy.event("connection_dropped")
        warning = next(line for line in proxy.lines if "bad_network" in line)
    assert json.loads(warning) | {"time": "", "text": ""} == {
        "time": "",
        "event": "bad_network",
        "service": "proxy",
        "delay_s": 0.02,
        "bytes_per_s": 1 << 20,
        "drop_after": 2000,
        "text": "",
    }
    assert "bytes_held" in proxy.events


def test_who_may_connect_is_limited_as_for_every_server(echo: str) -> None:
    with proxying(echo, "--allow", "192.0.2.1") as (proxy, port):
        with contextlib.suppress(ConnectionResetError), contextlib.closing(connect(port)) as client:
            assert client.recv(10) == b""
        assert proxy.event("client_refused")["reason"] == "denied"


def test_an_unreachable_target_is_told_to_both_sides() -> None:
    with proxying(f"127.0.0.1:{CLOSED_PORT}", "--quiet") as (proxy, port):
        with pytest.raises(ConnectionResetError), contextlib.closing(connect(port)) as client:
            client.recv(10)
        assert "connection refused" in proxy.event("target_failed")["text"]


@needs_root
def test_a_target_that_never_answers_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        port = silent.getsockname()[1]
        with contextlib.ExitStack() as stack:
            for _ in range(2):  # the backlog is full then, and further connections get no answer
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
            with proxying(f"127.0.0.1:{port}", "--connect-timeout", "300ms") as (proxy, own_port):
                with pytest.raises(ConnectionResetError), contextlib.closing(connect(own_port)) as client:
                    client.recv(10)
                assert "did not answer" in proxy.event("target_failed")["error"]


def test_a_stop_waits_for_no_target_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it never shakes hands
        target = f"tls://127.0.0.1:{mute.getsockname()[1]}"
        times = ("--connect-timeout", "1h", "--drain-timeout", "1h")
        with (
            proxying(target, "--accept-new", *times) as (proxy, port),
            contextlib.closing(connect(port)) as client,
        ):
            proxy.event("client_connected")
            assert proxy.end(signal.SIGTERM) == ExitCode.DONE
            with pytest.raises(ConnectionResetError):
                client.recv(10)


def test_a_target_that_is_the_proxy_itself_is_refused() -> None:
    port = free_port()
    done = sockctl("proxy", str(port), f"localhost:{port}")
    assert done.returncode == ExitCode.USAGE
    assert f"The target localhost:{port} is this proxy itself" in " ".join(done.stderr.decode().split())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["1", "2", "localhost:80"], "3 places are given: write sockctl proxy [LISTEN] TARGET"),
        (["0", "localhost"], "The target 'localhost' has no port"),
        (["0", "80"], "looks like a port"),
        (["somewhere", "localhost:80"], "LISTEN is 'somewhere', without a port"),
        (["0", "localhost:80", "--port", "1"], "leave one out"),
        (["0", "localhost:80", "--hex", "--sums"], "--hex and --sums exclude each other"),
        (["0", "localhost:80", "--rate", "fast"], "'fast' is no rate"),
        (["0", "localhost:80", "--rate", "0"], "'0' is no rate"),
        (["0", "localhost:80", "--accept-new"], "Options of TLS are given, and TLS is not"),
        (["0", "http://localhost:80"], "sockctl speaks no http://"),
        (["0", "ws://localhost:80"], "is the address of a WebSocket"),
    ],
)
def test_wrong_usage_is_explained(arguments: list[str], error: str) -> None:
    done = sockctl("proxy", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert error in " ".join(done.stderr.decode().split())


def test_a_folder_for_dumps_that_can_not_be_used_ends_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = sockctl("proxy", "0", "localhost:80", "--dump", str(tmp_path / "file"))
    assert done.returncode == ExitCode.FAILED
    assert b"can't be used" in done.stderr


def test_listen_names_a_host_and_a_port(echo: str) -> None:
    with process("proxy", "[::1]:0", echo, "--log-format", "json") as proxy:
        assert proxy.event("listening", timeout_s=START_S)["host"] == "::1"
        assert proxy.end(signal.SIGINT) in {ExitCode.DONE, ExitCode.INTERRUPTED}
