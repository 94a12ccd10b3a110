"""Messages over sockets from Python: whole, in order, within their time, over plain and TLS sockets."""

import random
import re
import socket
import ssl
import struct
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import (
    BadTextError,
    ConnectionBrokenError,
    MessageTimeoutError,
    MessageTooLargeError,
    TruncatedMessageError,
    UnsendableError,
)
from sockctl.net import message_socket
from sockctl.net.message_socket import MessageSocket, receive_message, send_message
from tests.frames import frame
from tests.running import TIMEOUT_S, free_port
from tests.tools import tool

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pair() -> Iterator[tuple[MessageSocket, socket.socket]]:
    """Return a MessageSocket and the plain socket at its other end."""
    near, far = socket.socketpair()
    with MessageSocket(fileno=near.detach()) as sock, far:
        far.settimeout(TIMEOUT_S)
        yield sock, far


def test_a_server_and_a_client() -> None:
    with MessageSocket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.limit_bytes = 1000
        with MessageSocket.connect_to(listener.getsockname(), timeout_s=TIMEOUT_S) as client:
            server, address = listener.accept()
            with server:
                assert isinstance(server, MessageSocket)
                assert server.limit_bytes == 1000
                assert address == client.getsockname()
                client.send_message("grüße 🦜")
                client.send_message("")
                assert server.receive_message() == "grüße 🦜"
                assert server.receive_message() == ""
                server.send_message("bye")
            assert client.receive_message() == "bye"
            assert client.receive_message() is None
            assert client.receive_message() is None


def test_functions_on_plain_sockets_and_other_reading_beside_them() -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(frame("one") + b"raw" + frame("two"))
        assert receive_message(near) == "one"
        assert near.recv(3) == b"raw"
        assert receive_message(near) == "two"
        send_message(near, "ß")
        assert far.recv(100) == b"\0\0\0\2\xc3\x9f"


@pytest.mark.parametrize("mode", ["blocking", "timeout", "non-blocking"])
def test_the_sockets_own_timeout_is_the_deadline(pair: tuple[MessageSocket, socket.socket], mode: str) -> None:
    sock, far = pair
    sock.settimeout({"blocking": None, "timeout": 0.2, "non-blocking": 0}[mode])
    if mode != "blocking":
        started = time.monotonic()
        with pytest.raises(MessageTimeoutError):
            sock.receive_message()
        assert time.monotonic() - started < 5
    far.sendall(frame("there"))
    assert sock.receive_message() == "there"


def test_a_drip_does_not_stretch_the_deadline(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    done = threading.Event()

    def drip() -> None:
        for byte in frame("x" * 60):
            far.sendall(bytes([byte]))
            if done.wait(0.05):
                return

    dripper = threading.Thread(target=drip)
    started = time.monotonic()
    dripper.start()
    with pytest.raises(MessageTimeoutError):
        sock.receive_message(timeout_s=0.4)
    assert 0.3 < time.monotonic() - started < 2
    assert sock.receive_message(timeout_s=TIMEOUT_S) == "x" * 60, "what had come is kept"
    done.set()
    dripper.join(TIMEOUT_S)


def test_a_peer_that_does_not_read(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, _ = pair
    sock.limit_bytes = 4_000_000
    with pytest.raises(MessageTimeoutError):
        sock.send_message("x" * 4_000_000, timeout_s=0.2)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\xff\xff\xff\xff", MessageTooLargeError),
        (b"\0\0\0\1\xff", BadTextError),
        (b"\0\0", TruncatedMessageError),
        (b"\0\0\0\5abc", TruncatedMessageError),
    ],
)
def test_what_breaks_the_protocol(pair: tuple[MessageSocket, socket.socket], sent: bytes, error: Any) -> None:
    sock, far = pair
    far.sendall(sent)
    far.close()
    with pytest.raises(error):
        sock.receive_message(timeout_s=TIMEOUT_S)


def test_memory_grows_with_what_comes_only(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    sock.limit_bytes = 15_000_000
    far.sendall((15_000_000).to_bytes(4) + b"x" * 100)
    tracemalloc.start()
    with pytest.raises(MessageTimeoutError):
        sock.receive_message(timeout_s=0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000


def test_what_cannot_be_sent(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    for text in ("x" * 70_000, "\ud800"):
        with pytest.raises(UnsendableError):
            sock.send_message(text)
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.recv(1)


def test_a_broken_connection() -> None:
    with MessageSocket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = MessageSocket.connect_to(listener.getsockname())
        server, _ = listener.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        with client:
            with pytest.raises(ConnectionBrokenError):
                client.receive_message(timeout_s=TIMEOUT_S)
            with pytest.raises(ConnectionBrokenError):
                client.send_message("x")


@pytest.mark.parametrize("kind", ["methods", "functions"])
def test_messages_of_several_threads_do_not_mix(pair: tuple[MessageSocket, socket.socket], kind: str) -> None:
    near, far = pair
    near.limit_bytes = 2_000_000
    chance = random.Random(3)
    said = {
        thread: [chr(97 + thread) * chance.choice([1, 100, 70_000, 1_000_000]) for _ in range(30)]
        for thread in range(8)
    }

    def talk(thread: int) -> None:
        for text in said[thread]:
            if kind == "methods":
                near.send_message(text)
            else:
                send_message(near, text, limit_bytes=2_000_000)

    threads = [threading.Thread(target=talk, args=(thread,)) for thread in said]
    for one in threads:
        one.start()
    heard: dict[int, list[str]] = {thread: [] for thread in said}
    for _ in range(sum(map(len, said.values()))):
        text = receive_message(far, limit_bytes=2_000_000)
        assert text is not None
        heard[ord(text[0]) - 97].append(text)
    for one in threads:
        one.join(TIMEOUT_S)
    assert heard == said


def test_a_message_that_waits_for_others_has_a_deadline_too(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    sock.limit_bytes = 4_000_000
    blocked = threading.Thread(target=sock.send_message, args=("x" * 4_000_000,))
    blocked.start()
    while not message_socket._lock_of(sock).locked():
        time.sleep(0.001)
    with pytest.raises(MessageTimeoutError, match="Other messages were in the way"):
        sock.send_message("late", timeout_s=0.1)
    assert receive_message(far, limit_bytes=4_000_000) == "x" * 4_000_000
    blocked.join(TIMEOUT_S)


def test_locks_go_with_their_sockets() -> None:
    before = len(message_socket._sending)
    near, far = socket.socketpair()
    with near, far:
        send_message(near, "x")
        assert len(message_socket._sending) == before + 1
    del near
    assert len(message_socket._sending) == before


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    kind = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [tool("openssl", "openssl"), "req", *kind.split(), "-keyout", str(path), "-out", str(path.with_suffix(".crt"))],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def test_tls(certificate: Path) -> None:
    near, far = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
    answers: list[str | None] = []

    def serve() -> None:
        with context.wrap_socket(far, server_side=True) as sock:
            while (text := receive_message(sock, limit_bytes=1_000_000)) is not None:
                answers.append(text)
                send_message(sock, text.upper(), limit_bytes=1_000_000)

    server = threading.Thread(target=serve)
    server.start()
    near.settimeout(TIMEOUT_S)
    with trusting.wrap_socket(near, server_hostname="localhost") as sock:
        for text in ("one", "", "x" * 500_000):
            send_message(sock, text, timeout_s=TIMEOUT_S, limit_bytes=1_000_000)
            assert receive_message(sock, timeout_s=TIMEOUT_S, limit_bytes=1_000_000) == text.upper()
        with pytest.raises(MessageTimeoutError):
            receive_message(sock, timeout_s=0.1)
        assert sock.gettimeout() == TIMEOUT_S
    server.join(TIMEOUT_S)
    assert answers == ["one", "", "x" * 500_000]


def test_the_readme_runs() -> None:
    """The server and the client under "Messages from Python" work as they stand, on another port."""
    section = (ROOT / "README.md").read_text().partition("## Messages from Python\n")[2].partition("\n## ")[0]
    blocks = [textwrap.dedent(block).strip() for block in re.findall(r"(?:^(?: {4}.*)?\n)+", section, re.MULTILINE)]
    programs = [block for block in blocks if "MessageSocket" in block]
    assert len(programs) == 2
    port = str(free_port())
    server, client = (program.replace("9099", port) for program in programs)
    assert server.count("\n") < 10
    assert client.count("\n") < 10
    running = subprocess.Popen([sys.executable, "-c", server])
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            run = subprocess.run(
                [sys.executable, "-c", client], capture_output=True, text=True, timeout=60, check=False
            )
            if run.returncode == 0 or time.monotonic() > deadline:
                break
        assert run.stdout == "HELLO\n"
    finally:
        running.kill()
        running.wait(TIMEOUT_S)
