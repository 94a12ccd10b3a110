"""The loop: real sockets, and a session that passes on bytes."""

import array
import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import termios
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sockctl.client.io_loop import IoLoop
from sockctl.client.link import Link
from sockctl.client.outputs import Output
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.session_events import EndReason
from sockctl.client.settings import ClientSettings
from sockctl.client.targets import Targets
from sockctl.client.token_store import TokenStore
from sockctl.errors import ConnectionBrokenError, SockctlError, StreamError
from sockctl.events.base import Event
from sockctl.net.address import Endpoint
from sockctl.net.transport import Transport
from tests.support.running import TIMEOUT_S, receive_all, send_and_half_close, wait_until

HERE = Endpoint("127.0.0.1", 9)


class Kept(Output):
    """Keeps what is shown."""

    def __init__(self) -> None:
        super().__init__(Screen())
        self.shown: list[bytes] = []

    def show_bytes(self, data: bytes) -> None:
        self.shown.append(data)


class Told(Screen):
    """Keeps the events."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def emit(self, event: Event) -> None:
        self.events.append(event.name)


def no_tokens() -> TokenStore:
    raise AssertionError("bytes need no token")


def never(*_: object) -> Transport:
    raise AssertionError("a pipe connects once")


class Setting:
    """A loop between a test's input and a test's server."""

    def __init__(self, *, quit_after_s: float | None = None) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.sock = socket.create_connection(listener.getsockname())
        self.server, _ = listener.accept()
        self.server.settimeout(TIMEOUT_S)
        listener.close()
        self._near, self.far = socket.socketpair()
        self.output = Kept()
        self.screen = Told()
        session = ClientSession(Targets([HERE]), ClientSettings(quit_after_s=quit_after_s), open_tokens=no_tokens)
        self.link = Link(session, never, screen=self.screen, output=self.output)
        self.loop = IoLoop(self.link, screen=self.screen)
        self.loop.read_from(self._near.fileno())
        self.error: SockctlError | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.link.begin(self.sock)
        try:
            self.loop.run()
        except SockctlError as error:
            self.error = error

    @property
    def received(self) -> bytes:
        return b"".join(self.output.shown)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> EndReason | SockctlError | None:
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()
        if self.link.ended is None:
            return self.error
        return self.link.ended.error or self.link.ended.reason

    def close(self) -> None:
        for sock in (self.sock, self.server, self._near, self.far):
            sock.close()
        if self._thread.ident:
            self._thread.join(TIMEOUT_S)


@contextlib.contextmanager
def setting(*, quit_after_s: float | None = None) -> Iterator[Setting]:
    with contextlib.closing(Setting(quit_after_s=quit_after_s)) as made:
        yield made


def test_a_signal_that_comes_just_before_the_wait_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No handler can run there, and the system call is not interrupted."""
    wait = select.select
    found: list[Any] = []

    def wait_after_signal(sources: list[Any], sinks: list[Any], failed: list[Any], _: float | None) -> Any:
        if found:
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGUSR1)
        found.append(wait(sources, sinks, failed, 1.0))
        return found[0]

    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with setting() as it:
            it.link.begin(it.sock)
            monkeypatch.setattr(select, "select", wait_after_signal)
            with pytest.raises(KeyboardInterrupt):
                it.loop.run()
            monkeypatch.undo()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(found[0][0]) == 1
    assert signal.set_wakeup_fd(-1) == -1, "the loop has left its descriptor"


def test_a_run_goes_on_only_as_long_as_it_is_told_to() -> None:
    with setting() as it:
        it.link.begin(it.sock)
        it.server.sendall(b"one")
        it.loop.run(lambda: not it.received)
        assert (it.received, it.link.ended) == (b"one", None)


def test_both_ways_and_a_half_close() -> None:
    with setting() as it:
        it.start()
        it.far.sendall(b"question")
        assert it.server.recv(100) == b"question"
        it.far.close()
        assert receive_all(it.server) == b"", "the input's end is passed on"
        time.sleep(0.2)  # an answer that comes late
        it.server.sendall(b"late answer")
        it.server.close()
        assert it.join() is EndReason.SERVER_CLOSED
        assert it.received == b"late answer"
        assert it.screen.events == ["data_sent", "input_ended", "data_received"]


class Endless(socket.socket):
    """A connection on which bytes always wait that select() can't see, as under TLS."""

    pending = True

    def recv(self, *_: object) -> bytes:
        return b"x"


def test_a_side_that_sends_without_end_leaves_the_others_their_turn() -> None:
    near, far = socket.socketpair()
    with setting() as it, far:
        session = ClientSession(Targets([HERE]), ClientSettings(messages=False), open_tokens=no_tokens)
        endless = Link(session, screen=it.screen, output=Kept())
        it.loop.links = [endless, it.link]
        for link, sock in ((it.link, it.sock), (endless, Endless(near.family, near.type, fileno=near.detach()))):
            link.begin(sock)
        it.server.sendall(b"hello")
        until = time.monotonic() + TIMEOUT_S
        while it.received != b"hello":
            assert time.monotonic() < until
            it.loop.step()
        endless.close()


def test_quit_after_bounds_the_wait() -> None:
    with setting(quit_after_s=0.3) as it:
        it.start()
        started = time.monotonic()
        it.far.close()
        assert it.join() is EndReason.QUIT_AFTER
        assert time.monotonic() - started > 0.2


def test_a_stop_from_another_thread() -> None:
    with setting() as it:
        it.start()
        it.server.sendall(b"x")
        wait_until(lambda: it.received == b"x")
        it.loop.stop()
        assert it.join() is None, "the server has not ended it"


def test_an_input_that_cannot_be_read() -> None:
    with setting() as it:
        descriptor = os.open("/", os.O_RDONLY)
        try:
            it.loop.read_from(descriptor)
            it.start()
            outcome = it.join()
        finally:
            os.close(descriptor)
        assert isinstance(outcome, StreamError)
        assert str(outcome).startswith("Standard input can't be read: Is a directory")


def test_the_server_leaves_while_input_is_open() -> None:
    with setting() as it:
        it.start()
        it.server.close()
        assert it.join() is EndReason.SERVER_CLOSED


def test_a_reset_is_an_error() -> None:
    with setting() as it:
        it.start()
        it.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        it.server.close()
        outcome = it.join()
        assert isinstance(outcome, ConnectionBrokenError)
        assert "reset" in str(outcome)


def test_a_server_that_does_not_take_everything_is_an_error() -> None:
    with setting() as it:
        it.start()
        data = b"u" * 20_000_000
        feeder = threading.Thread(target=lambda: _send_quietly(it.far, data))
        feeder.start()
        wait_until(lambda: is_stuck(it.far, it.server), what="that the kernel's buffers are full, and stay so")
        it.server.shutdown(socket.SHUT_WR)
        outcome = it.join()
        assert isinstance(outcome, ConnectionBrokenError)
        assert "before it took everything" in str(outcome)
        it.close()
        feeder.join(TIMEOUT_S)


def is_stuck(far: socket.socket, server: socket.socket) -> bool:
    """Return whether for half a second nothing moves between two sockets that the loop connects, though data waits."""
    before = count_waiting_bytes(server)
    _, writable, _ = select.select([], [far], [], 0.5)
    return not writable and before > 0 and count_waiting_bytes(server) == before


def count_waiting_bytes(sock: socket.socket) -> int:
    """Return how many bytes wait in the kernel to be received."""
    waiting = array.array("i", [0])
    fcntl.ioctl(sock.fileno(), termios.FIONREAD, waiting)
    return waiting[0]


def _send_quietly(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(data)


def test_input_waits_while_the_server_does_not_read() -> None:
    with setting() as it:
        it.start()
        data = b"v" * 30_000_000
        feeder = threading.Thread(target=send_and_half_close, args=(it.far, data))
        feeder.start()
        time.sleep(0.3)
        assert feeder.is_alive(), "no more is read while so much waits to be sent"
        assert len(receive_all(it.server)) == len(data)
        feeder.join(TIMEOUT_S)
        it.server.close()
        assert it.join() is EndReason.SERVER_CLOSED


def test_what_was_sent_before_a_reset_is_still_received() -> None:
    with setting() as it:
        it.server.sendall(b"last words")
        it.server.close()
        it.far.sendall(b"x")  # too late: answered with a reset
        time.sleep(0.1)
        it.start()
        it.join()
        assert it.received == b"last words"


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
def test_any_size(size: int) -> None:
    with setting() as it:
        it.start()
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        feeder = threading.Thread(target=send_and_half_close, args=(it.far, data))
        feeder.start()
        got = receive_all(it.server)
        it.server.sendall(got)
        it.server.close()
        assert it.join() is EndReason.SERVER_CLOSED
        feeder.join(TIMEOUT_S)
        assert it.received == data
