"""`connect ws://…` as a process: against our own servers, the library's server, and servers that aren't WebSocket's."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from sockctl.cli.connect_web import is_vouched
from sockctl.cli.exit_codes import ExitCode
from sockctl.client.known_hosts import KnownHosts
from sockctl.net.address import Endpoint
from tests.support.running import UNMEASURED, Process, echo_process, process, sockctl
from tests.support.terminal import ended
from tests.support.tls import self_signed

SERVE = ("--port", "0", "--web", "0", "--no-input", "--log-format", "json")
Handler = Callable[[ServerConnection], Awaitable[None]]


def find_address(run: Process, host: str = "127.0.0.1") -> str:
    url: str = run.event("page_served")["url"]
    scheme = {"http": "ws", "https": "wss"}[url.partition(":")[0]]
    return f"{scheme}://{host}:{url.rstrip('/').rpartition(':')[2]}"


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with process("serve", "echo", *SERVE) as run:
        yield find_address(run)


@contextmanager
def serving(handler: Handler, **options: Any) -> Iterator[str]:
    """Run the library's asyncio server; yield its address."""
    loop = asyncio.new_event_loop()
    opened: list[str] = []
    ready = threading.Event()
    stop = asyncio.Event()

    async def run() -> None:
        async with serve(handler, "127.0.0.1", 0, close_timeout=1, **options) as server:
            opened.append(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}")
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert ready.wait(30)
        yield opened[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


async def send_back(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


# Our own servers.


def test_lines_are_messages(echo: str) -> None:
    done = sockctl("connect", echo, stdin="one\nzwei ä\n\nlast".encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\nzwei ä\n\nlast\n".encode(), b"")


def test_binary_goes_through_unchanged(echo: str) -> None:
    data = bytes(range(256)) * 2_000
    done = sockctl("connect", "--binary", echo, stdin=data)
    assert (done.returncode, done.stdout == data, done.stderr) == (0, True, b"")


def test_a_binary_message_has_64_kib_at_most(tmp_path: Path) -> None:
    file, sizes = tmp_path / "input", list[int]()
    file.write_bytes(bytes(200_000))

    async def note(socket: ServerConnection) -> None:
        sizes.extend([len(message) async for message in socket])

    with serving(note) as url, file.open("rb") as stdin:
        command = [sys.executable, "-m", "sockctl", "connect", "--binary", url]
        subprocess.run(command, stdin=stdin, env=UNMEASURED, timeout=60, check=True)
    assert sizes == [65_536, 65_536, 65_536, 200_000 - 3 * 65_536]


def test_scripts_and_json(echo: str) -> None:
    done = sockctl("connect", f"{echo}/?x", "--send", "hello", "--expect", "^hello$", "--json")
    assert (done.returncode, done.stdout) == (0, b'{"text": "hello"}\n')
    done = sockctl("connect", echo, "--binary", "--send", "hello", "--count", "1", "--json")
    assert (done.returncode, done.stdout) == (0, b'{"base64": "aGVsbG8="}\n')
    done = sockctl("connect", echo, "--send", "hello", "--expect", "other", "-w", "2")
    assert done.returncode == ExitCode.UNEXPECTED


def test_a_transcript_keeps_what_has_come(echo: str, tmp_path: Path) -> None:
    file = tmp_path / "transcript"
    assert sockctl("connect", echo, "-o", str(file), "--send", "a", "--count", "1").stdout == b"a\n"
    assert file.read_bytes() == b"a\n"


def test_verbose_shows_each_step(echo: str) -> None:
    told = sockctl("connect", "-v", echo, stdin=b"hello\n").stderr.decode()
    for words in (
        "web_socket_agreed    The server opened a WebSocket",
        "ping_sent",
        "pong_received",
        "close_sent",
        "close_received       The server sent a Close frame: 1000",
        "disconnected         The server closed the WebSocket",
    ):
        assert " ".join(words.split()) in " ".join(told.split()), told


def test_a_chat_speaks_its_json(tmp_path: Path) -> None:
    with process("serve", "chat", *SERVE, "--data-dir", str(tmp_path)) as run:
        address = find_address(run)
        done = sockctl(
            *("connect", address, "--expect", '"kind": ?"ask"'),
            *("--send", '{"kind": "answer", "field": "name", "text": "ann"}', "--expect", '"kind": ?"welcome"'),
            *("--send", '{"kind": "line", "text": "hello"}', "--expect", '"kind": ?"say".*hello'),
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert all(json.loads(line)["kind"] for line in done.stdout.splitlines())
        done = sockctl("connect", address, stdin=b"no message\n")
        assert done.returncode == ExitCode.BROKEN
        assert b"The server closed the WebSocket with the code 1007" in done.stderr


def test_a_server_that_stops_ends_the_session() -> None:
    with process("serve", "echo", *SERVE) as run:
        command = [sys.executable, "-m", "sockctl", "connect", find_address(run)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=UNMEASURED) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(b"hello\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"hello\n"
            assert run.end() == 0
            assert client.wait(30) == 0


def test_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with process("serve", "echo", *SERVE, "--tls", "--tls-cert", str(certificate), "--tls-key", str(key)) as run:
        address = find_address(run, "localhost")
        done = sockctl("connect", address, "--ca", str(certificate), stdin=b"a\nb\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"a\nb\n", b"")
        done = sockctl("connect", address, "--state-dir", str(tmp_path), stdin=b"a\n")
        assert done.returncode == ExitCode.NOT_LET_IN, "no public name: as for tls://"
        assert b"is not known yet" in done.stderr
        done = sockctl("connect", address.replace("wss", "ws"), stdin=b"a\n")
        assert done.returncode == ExitCode.BROKEN
        assert f"write {address}/".encode() in done.stderr


def test_authorities_vouch_for_public_names_without_a_known_certificate(tmp_path: Path) -> None:
    public, other = Endpoint("chat.server.org", 443), Endpoint("localhost", 443)
    assert is_vouched(public, tmp_path)
    assert not is_vouched(other, tmp_path)
    KnownHosts(tmp_path).trust(public.host, public.port, ":".join(["AB"] * 32))
    assert not is_vouched(public, tmp_path)


def test_a_terminal(terminal: Any, echo: str) -> None:
    child = terminal("connect", echo, COLUMNS="120")
    child.expect("The server opened a WebSocket")
    child.sendline("hello")
    child.expect("hello\r\n.*hello\r\n")
    child.sendline("exit")
    child.expect("close_sent")
    child.expect("disconnected")
    assert ended(child) == 0


def test_binary_on_a_terminal_is_a_hex_dump(terminal: Any, echo: str) -> None:
    child = terminal("connect", "-q", "--binary", echo)
    child.sendline("hello")
    child.expect(r"< 00000000  68 65 6c 6c 6f 0a .*\|hello\.\|")
    child.sendeof()
    assert ended(child) == 0


# The library's server.


def test_answers_come_before_the_end_from_a_server_that_answers_a_close_frame_at_once() -> None:
    with serving(send_back) as address:
        done = sockctl("connect", address, stdin=b"hello\nworld\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\nworld\n", b"")


def test_big_messages_and_fragments() -> None:
    async def handle(socket: ServerConnection) -> None:
        await socket.send("x" * 5_000_000)
        await socket.send(["a", "b", "c"])
        await socket.close(1000)

    with serving(handle) as address:
        done = sockctl("connect", address, "--recv-only")
    assert (done.returncode, done.stdout == b"x" * 5_000_000 + b"\nabc\n", done.stderr) == (0, True, b"")


def test_a_message_of_64_mib_is_refused() -> None:
    async def handle(socket: ServerConnection) -> None:
        await socket.send(b"x" * (64 << 20))

    with serving(handle) as address:
        done = sockctl("connect", address, "--recv-only")
    assert (done.returncode, done.stdout) == (ExitCode.BROKEN, b"")
    assert b"A message of 67,108,864 bytes is too large: 16,777,216 are allowed" in done.stderr


def test_the_servers_pings_are_answered_and_its_code_is_told() -> None:
    async def handle(socket: ServerConnection) -> None:
        await (await socket.ping(b"are you there?"))
        await socket.close(4321, "grüße")

    with serving(handle) as address:
        done = sockctl("connect", address, "--recv-only", "-v")
    assert done.returncode == ExitCode.BROKEN
    assert "ping_received" in done.stderr.decode()
    assert "The server closed the WebSocket with the code 4321 (private use): grüße" in done.stderr.decode()


def test_a_server_that_fails() -> None:
    async def handle(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    with serving(handle) as address:
        done = sockctl("connect", address, "--send", "hello", "--expect", "never")
    assert done.returncode == ExitCode.BROKEN


def test_the_server_learns_the_subprotocol_the_headers_and_the_end(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append((socket.request.path, socket.subprotocol, dict(socket.request.headers.raw_items())))
        await socket.wait_closed()
        seen.append((socket.close_code, socket.close_reason))

    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer s3cret\n\nX-Two: 2\n")
    file.chmod(0o600)
    with serving(handle, subprotocols=["b.v1"]) as address:
        options = ("--subprotocol", "a.v1", "--subprotocol", "b.v1", "--header", "X-One:1", "--header-file", str(file))
        done = sockctl("connect", f"{address}/a%20b?c", *options, "-v")
        assert done.returncode == 0, done.stderr
    path, subprotocol, headers = seen[0]
    assert (path, subprotocol, seen[1]) == ("/a%20b?c", "b.v1", (1000, ""))
    assert headers["Authorization"] == "Bearer s3cret"
    assert (headers["X-One"], headers["X-Two"], headers["Sec-WebSocket-Protocol"]) == ("1", "2", "a.v1, b.v1")
    assert b"of the subprotocol b.v1" in done.stderr
    assert b"s3cret" not in done.stderr


# Refusals.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--header", "X: a\r\nY: b"], "has a line break"),
        (["--header", "X"], "is no NAME:VALUE"),
        (["--header", "X Y: a"], "is no NAME:VALUE"),
        (["--header", "X: ä"], "aren't ASCII"),
        (["--header", "Cookie: s3cret"], "give --header-file FILE"),
        (["--header", "Upgrade: h2c"], "a header that the client sets itself"),
        (["--header", "Sec-WebSocket-Protocol: a"], "--subprotocol names one"),
        (["--subprotocol", "a b"], "is no name"),
        (["--subprotocol", "a,b"], "is no name"),
    ],
)
def test_wrong_options(options: list[str], words: str) -> None:
    done = sockctl("connect", "ws://127.0.0.1:1", *options)
    assert done.returncode == ExitCode.USAGE
    assert words in done.stderr.decode()
    assert b"s3cret" not in done.stderr


@pytest.mark.parametrize(
    ("content", "mode", "code", "words"),
    [
        ("X: s3cret\n", 0o644, ExitCode.FAILED, "is not used"),
        ("s3cret\n", 0o600, ExitCode.USAGE, "Header 1 in the file of headers is no NAME:VALUE"),
        ("\n", 0o600, ExitCode.USAGE, "each line of it is a header"),
        ("X: \udcff\n", 0o600, ExitCode.FAILED, "is not UTF-8"),
        ("X: " + "s3cret" * 5_000, 0o600, ExitCode.FAILED, "is too large"),
        (None, 0o600, ExitCode.FAILED, "can't be read"),
    ],
)
def test_files_of_headers(tmp_path: Path, content: str | None, mode: int, code: ExitCode, words: str) -> None:
    file = tmp_path / "headers"
    if content is not None:
        file.write_bytes(content.encode(errors="surrogateescape"))
        file.chmod(mode)
    done = sockctl("connect", "ws://127.0.0.1:1", "--header-file", str(file))
    assert done.returncode == code
    assert words in done.stderr.decode()
    assert b"s3cret" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["bench", "echo", "ws://localhost:1"],
        ["bench", "chat", "ws://localhost:1"],
        ["logout", "ws://localhost:1"],
        ["hosts", "add", "wss://localhost:1", ":".join(["AB"] * 32)],
    ],
)
def test_other_commands_take_no_websocket(command: list[str]) -> None:
    done = sockctl(*command)
    assert done.returncode == ExitCode.USAGE
    assert b"is the address of a WebSocket: 'sockctl connect' alone takes one" in done.stderr


def test_options_of_websocket_are_for_websocket(echo: str) -> None:
    done = sockctl("connect", "localhost:1", "--header", "X:1")
    assert done.returncode == ExitCode.USAGE
    assert b"are for WebSocket: write ws://HOST:PORT/PATH" in done.stderr
    assert sockctl("connect", "-z", echo).stdout.startswith(b"open")


def test_a_server_without_websocket() -> None:
    with echo_process() as (_, port):
        done = sockctl("connect", f"ws://127.0.0.1:{port}")
    assert done.returncode == ExitCode.BROKEN
    assert b"speaks no HTTP, and so no WebSocket. It begins with 'GET / HTTP/1.1'" in done.stderr


def test_another_path_is_refused_with_the_servers_words(echo: str) -> None:
    done = sockctl("connect", f"{echo}/other")
    assert done.returncode == ExitCode.BROKEN
    assert b"answers 404 Not Found. There is no such page here: the only one is at /." in done.stderr
    done = sockctl("connect", echo, "--header", "Origin: https://evil.example")
    assert done.returncode == ExitCode.NOT_LET_IN
    assert b"answers 403 Forbidden. A page from elsewhere has sent this request" in done.stderr


# What is loaded.


def test_without_the_libraries_an_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "h11.py").write_text("raise ModuleNotFoundError(\"No module named 'h11'\", name='h11')")
    command = [sys.executable, "-m", "sockctl", "connect", "ws://127.0.0.1:1"]
    done = subprocess.run(
        command, capture_output=True, env={**UNMEASURED, "PYTHONPATH": str(tmp_path)}, timeout=60, check=False
    )
    assert done.returncode == ExitCode.FAILED
    assert b"ws:// needs the library h11, which isn't installed: " in done.stderr
    assert b" -m pip install 'sockctl[web]' brings it" in done.stderr


@pytest.mark.parametrize(("target", "loaded"), [("tcp://127.0.0.1:1", False), ("ws://127.0.0.1:1", True)])
def test_the_libraries_are_loaded_with_websocket_only(target: str, loaded: bool) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "sockctl", "connect", target]
    done = subprocess.run(command, capture_output=True, env=UNMEASURED, timeout=60, check=False)
    assert ((b"websockets" in done.stderr), (b"h11" in done.stderr)) == (loaded, loaded)
