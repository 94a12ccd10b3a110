"""Messages over sockets from Python: whole, in order, within their time, over plain and TLS sockets."""

import contextlib
import errno
import fcntl
import gc
import random
import re
import resource
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

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
from tests.support.frames import frame
from tests.support.running import START_S, TIMEOUT_S, free_port, wait_until
from tests.support.tools import tool, unavailable

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
        assert time.monotonic() - started < TIMEOUT_S
    far.sendall(frame("there"))
    assert sock.receive_message() == "there"


def test_a_drip_does_not_stretch_the_deadline(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    done = threading.Event()

    def drip() -> None:
        for byte in frame("x" * 60):
            far.sendall(bytes([byte]))
            done.wait(0.2)

    dripper = threading.Thread(target=drip)
    started = time.monotonic()
    dripper.start()
    with pytest.raises(MessageTimeoutError):
        sock.receive_message(timeout_s=0.4)
    assert 0.3 < time.monotonic() - started < 8, "all that drips takes 12 s"
    done.set()
    assert sock.receive_message(timeout_s=TIMEOUT_S) == "x" * 60, "what had come is kept"
    dripper.join(TIMEOUT_S)


def test_a_peer_that_does_not_read(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, _ = pair
    sock.limit_bytes = 4_000_000
    with pytest.raises(MessageTimeoutError, match="of 4,000,004 bytes: the connection can't be used any more"):
        sock.send_message("x" * 4_000_000, timeout_s=0.2)


def test_nothing_follows_a_message_that_was_cut_off(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    sock.limit_bytes = 4_000_000
    with pytest.raises(MessageTimeoutError):
        sock.send_message("x" * 4_000_000, timeout_s=0.1)
    for _ in range(2):
        with pytest.raises(ConnectionBrokenError, match="sent in part only"):
            sock.send_message("y", timeout_s=TIMEOUT_S)
    sock.close()
    received = bytearray()
    while part := far.recv(65_536):
        received += part
    assert set(received[4:]) == {ord("x")}


def test_a_message_that_did_not_begin_may_be_sent_again(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    sock.setblocking(False)
    filler = 0
    while True:
        try:
            filler += sock.send(b"x" * 1000)
        except BlockingIOError:
            break
    with pytest.raises(MessageTimeoutError, match="nothing of it was sent"):
        sock.send_message("late")
    while filler:
        filler -= len(far.recv(min(filler, 65_536)))
    sock.send_message("late", timeout_s=TIMEOUT_S)
    assert receive_message(far) == "late"


@pytest.mark.parametrize(("own_s", "timeout_s", "least_s"), [(30.0, 0.2, 0.15), (0.05, 0.4, 0.35)])
def test_the_sockets_own_timeout_does_not_count_beside_one_that_is_given(
    pair: tuple[MessageSocket, socket.socket], own_s: float, timeout_s: float, least_s: float
) -> None:
    sock, _ = pair
    sock.limit_bytes = 4_000_000
    sock.settimeout(own_s)
    for receive in (sock.receive_message, partial(receive_message, sock)):
        started = time.monotonic()
        with pytest.raises(MessageTimeoutError, match="No message came in time"):
            receive(timeout_s=timeout_s)
        assert least_s < time.monotonic() - started < TIMEOUT_S
    started = time.monotonic()
    with pytest.raises(MessageTimeoutError):
        sock.send_message("x" * 4_000_000, timeout_s=timeout_s)
    assert least_s < time.monotonic() - started < TIMEOUT_S
    assert sock.gettimeout() == own_s


@pytest.mark.parametrize("own_s", [None, 30.0])
def test_a_drip_does_not_stretch_the_deadline_of_any_socket(own_s: float | None) -> None:
    near, far = socket.socketpair()
    done = threading.Event()

    def drip() -> None:
        for byte in frame("x" * 200):
            far.sendall(bytes([byte]))
            if done.wait(0.05):
                return

    dripper = threading.Thread(target=drip)
    with near, far:
        near.settimeout(own_s)
        started = time.monotonic()
        dripper.start()
        with pytest.raises(MessageTimeoutError, match="the connection can't be used any more"):
            receive_message(near, timeout_s=0.3)
        assert 0.25 < time.monotonic() - started < 8
        done.set()
        dripper.join(TIMEOUT_S)


def test_a_time_longer_than_poll_can_wait(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    far.sendall(b"\0\0")
    later = threading.Timer(0.1, far.sendall, [b"\0\1x"])
    later.start()
    assert sock.receive_message(timeout_s=1e9) == "x"
    later.join(TIMEOUT_S)
    sock.send_message("y", timeout_s=1e12)


def test_a_long_wait_is_several_short_ones(
    pair: tuple[MessageSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    sock, far = pair
    poll = select.poll

    def impatient() -> Mock:
        """Return what waits for 10 ms, as poll() itself waits for some 24 days at most."""
        polling = poll()
        return Mock(register=polling.register, poll=lambda timeout_ms: polling.poll(min(timeout_ms, 10)))

    monkeypatch.setattr(select, "poll", impatient)
    later = threading.Timer(0.1, far.sendall, [frame("x")])
    later.start()
    assert sock.receive_message(timeout_s=TIMEOUT_S) == "x"
    later.join(TIMEOUT_S)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\xff\xff\xff\xff", MessageTooLargeError),
        (b"\0\0\0\1\xff", BadTextError),
        (b"\0\0", TruncatedMessageError),
        (b"\0\0\0\5abc", TruncatedMessageError),
    ],
)
def test_what_breaks_the_protocol_of_a_message_socket(
    pair: tuple[MessageSocket, socket.socket], sent: bytes, error: Any
) -> None:
    sock, far = pair
    far.sendall(sent)
    far.close()
    for _ in range(2):
        with pytest.raises(error):
            sock.receive_message(timeout_s=TIMEOUT_S)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\xff\xff\xff\xffrest", MessageTooLargeError),
        (b"\0\0\0\1\xffrest", BadTextError),
        (b"\0\0\0\5abc", TruncatedMessageError),
    ],
)
def test_what_breaks_the_protocol_of_a_plain_socket(sent: bytes, error: Any) -> None:
    near, far = socket.socketpair()
    with near:
        with far:
            far.sendall(sent)
        with pytest.raises(error):
            receive_message(near, timeout_s=TIMEOUT_S)
        if sent.endswith(b"rest"):
            assert near.recv(100) == b"rest"


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


@pytest.mark.parametrize("own_s", [None, 30.0])
def test_a_reset_in_the_middle_of_a_message(own_s: float | None) -> None:
    with MessageSocket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with MessageSocket.connect_to(listener.getsockname()) as client:
            client.settimeout(own_s)
            server, _ = listener.accept()
            server.sendall(b"\0\0\0\5abc")
            with pytest.raises(MessageTimeoutError, match="what came of it is kept"):
                client.receive_message(timeout_s=0.05)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.close()
            with pytest.raises(ConnectionBrokenError):
                client.receive_message(timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("own_s", [None, 30.0])
def test_a_closed_socket(own_s: float | None) -> None:
    near, far = socket.socketpair()
    near.settimeout(own_s)
    near.close()
    far.close()
    with pytest.raises(ConnectionBrokenError):
        receive_message(near, timeout_s=1)
    with pytest.raises(ConnectionBrokenError):
        send_message(near, "x", timeout_s=1)


def test_a_connection_that_tcp_has_given_up_is_broken_not_slow() -> None:
    class GivenUp(MessageSocket):
        def recv(self, *_: int) -> bytes:
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    with GivenUp() as sock, pytest.raises(ConnectionBrokenError, match="Connection timed out"):
        sock.receive_message(timeout_s=1)


def test_descriptors_that_select_cannot_take() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1_200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        unavailable(f"{wanted} descriptors (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        near, far = socket.socketpair()
        with near, far, MessageSocket(fileno=fcntl.fcntl(near, fcntl.F_DUPFD_CLOEXEC, 1_100)) as high:
            assert high.fileno() >= 1_100
            with pytest.raises(MessageTimeoutError):
                high.receive_message(timeout_s=0.05)
            send_message(far, "there")
            assert high.receive_message(timeout_s=TIMEOUT_S) == "there"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_may_be_given_when_a_socket_is_made() -> None:
    with MessageSocket(limit_bytes=5) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with MessageSocket.connect_to(listener.getsockname(), limit_bytes=6) as client:
            server, _ = listener.accept()
            with server:
                assert (client.limit_bytes, server.limit_bytes) == (6, 5)
                client.send_message("123456")
                with pytest.raises(MessageTooLargeError):
                    server.receive_message(timeout_s=TIMEOUT_S)


def test_several_threads_receive_whole_messages(pair: tuple[MessageSocket, socket.socket]) -> None:
    near, far = pair
    near.limit_bytes = 200_000
    said = [chr(97 + number % 26) * (number % 7 * 30_000 + 1) for number in range(200)]
    heard: list[str] = []

    def listen() -> None:
        while (text := near.receive_message(timeout_s=TIMEOUT_S)) is not None:
            heard.append(text)

    threads = [threading.Thread(target=listen) for _ in range(4)]
    for one in threads:
        one.start()
    for text in said:
        send_message(far, text, limit_bytes=200_000)
    far.shutdown(socket.SHUT_WR)
    for one in threads:
        one.join(TIMEOUT_S)
    assert sorted(heard) == sorted(said)


def test_receiving_while_another_thread_does_has_a_deadline_too(pair: tuple[MessageSocket, socket.socket]) -> None:
    sock, far = pair
    heard: list[str | None] = []
    first = threading.Thread(target=lambda: heard.append(sock.receive_message(timeout_s=TIMEOUT_S)))
    first.start()
    far.sendall(frame("for the first")[:5])
    wait_until(lambda: not select.select([sock], [], [], 0)[0])  # it has taken the beginning: it receives
    with pytest.raises(MessageTimeoutError, match="Other threads were receiving"):
        sock.receive_message(timeout_s=0.1)
    far.sendall(frame("for the first")[5:])
    first.join(TIMEOUT_S)
    assert heard == ["for the first"]


@pytest.mark.parametrize("kind", ["methods", "functions"])
def test_messages_of_several_threads_do_not_mix(pair: tuple[MessageSocket, socket.socket], kind: str) -> None:
    near, far = pair
    near.limit_bytes = 2_000_000
    chance = random.Random(3)
    said = {
        thread: [chr(97 + thread) * size for size in chance.choices([1, 100, 70_000, 1_000_000], [8, 8, 3, 1], k=200)]
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
    assert select.select([far], [], [], TIMEOUT_S)[0]  # the beginning has come: the rest is being sent
    with pytest.raises(MessageTimeoutError, match="Other messages were in the way"):
        sock.send_message("late", timeout_s=0.1)
    assert receive_message(far, limit_bytes=4_000_000) == "x" * 4_000_000
    blocked.join(TIMEOUT_S)


def test_locks_go_with_their_sockets() -> None:
    def send_on_sockets(count: int) -> int:
        """Return the memory that the module holds afterwards."""
        for _ in range(count):
            near, far = socket.socketpair()
            with near, far:
                send_message(near, "x")
            del near, far
        gc.collect()
        held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, message_socket.__file__)])
        return sum(trace.size for trace in held.traces)

    tracemalloc.start()
    try:
        assert send_on_sockets(200) - send_on_sockets(10) < 2_000
    finally:
        tracemalloc.stop()


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


@contextlib.contextmanager
def tls_pair(certificate: Path) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """Return the two ends of a TLS connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
    ends = socket.socketpair()
    for end in ends:
        end.settimeout(TIMEOUT_S)
    served: list[ssl.SSLSocket] = []
    server = threading.Thread(target=lambda: served.append(context.wrap_socket(ends[1], server_side=True)))
    server.start()
    with trusting.wrap_socket(ends[0], server_hostname="localhost") as near:
        server.join(TIMEOUT_S)
        with served[0] as far:
            yield near, far


def test_a_drip_over_tls_does_not_stretch_the_deadline(certificate: Path) -> None:
    done = threading.Event()
    with tls_pair(certificate) as (near, far):

        def drip() -> None:
            for byte in frame("x" * 200):
                far.sendall(bytes([byte]))
                if done.wait(0.05):
                    return

        dripper = threading.Thread(target=drip)
        started = time.monotonic()
        dripper.start()
        with pytest.raises(MessageTimeoutError, match="can't be used any more"):
            receive_message(near, timeout_s=0.3)
        assert 0.25 < time.monotonic() - started < 8
        assert near.gettimeout() == TIMEOUT_S
        done.set()
        dripper.join(TIMEOUT_S)


def test_nothing_follows_a_message_that_was_cut_off_over_tls(certificate: Path) -> None:
    with tls_pair(certificate) as (near, _):
        with pytest.raises(MessageTimeoutError, match="can't be used any more"):
            send_message(near, "x" * 8_000_000, timeout_s=0.2, limit_bytes=8_000_000)
        with pytest.raises(ConnectionBrokenError, match="sent in part only"):
            send_message(near, "y", timeout_s=TIMEOUT_S)
        assert near.gettimeout() == TIMEOUT_S


def test_the_end_in_the_middle_over_tls(certificate: Path) -> None:
    with tls_pair(certificate) as (near, far):
        far.sendall(frame("whole") + frame("cut off")[:-1])
        far.close()
        assert receive_message(near, timeout_s=TIMEOUT_S) == "whole"
        with pytest.raises(TruncatedMessageError):
            receive_message(near, timeout_s=TIMEOUT_S)


def test_the_topic_page_runs() -> None:
    """The server and the client of ``sockctl help python`` work as they stand, on another port."""
    page = (ROOT / "sockctl" / "help" / "python.md").read_text()
    programs = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(programs) == 2
    port = str(free_port())
    server, client = (program.replace("9099", port) for program in programs)
    assert server.count("\n") <= 10
    assert client.count("\n") < 10
    running = subprocess.Popen([sys.executable, "-c", server])
    try:
        deadline = time.monotonic() + START_S
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
