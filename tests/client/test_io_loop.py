import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from sockctl.client import io_loop as relay_module
from sockctl.client.io_loop import Ending, Relay
from sockctl.errors import ConnectionBrokenError
from tests.support.running import TIMEOUT_S, receive_all, receive_exactly, send_and_half_close, wait_until


class SocketInput:
    """An input that a test writes to."""

    wanted = True

    def __init__(self) -> None:
        self.ended = False
        self._near, self.far = socket.socketpair()

    def fileno(self) -> int:
        return self._near.fileno()

    def read(self) -> bytes:
        data = self._near.recv(65_536)
        self.ended = not data
        return data

    def close(self) -> None:
        self._near.close()
        self.far.close()


class Setting:
    """A relay between a test's input and a test's server."""

    def __init__(self, *, quit_after_s: float | None = None, pause_s: float | None = None) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.sock = socket.create_connection(listener.getsockname())
        self.server, _ = listener.accept()
        self.server.settimeout(TIMEOUT_S)
        listener.close()
        self.source = SocketInput()
        self.received: list[bytes] = []
        self.sent: list[bytes] = []
        self.half_closed: list[float] = []
        self.pauses = 0
        self.pause_s = pause_s
        self.relay = Relay(
            self.sock,
            self.source,
            on_received=self.received.append,
            on_sent=self.sent.append,
            on_input_ended=lambda: self.half_closed.append(time.monotonic()),
            on_pause=self._pause,
            quit_after_s=quit_after_s,
        )
        self.outcome: Ending | Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def _pause(self) -> float | None:
        self.pauses += 1
        return self.pause_s

    def _run(self) -> None:
        try:
            self.outcome = self.relay.run()
        except ConnectionBrokenError as error:
            self.outcome = error

    def start(self) -> None:
        self._thread.start()

    def join(self) -> Ending | Exception | None:
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()
        return self.outcome

    def close(self) -> None:
        for sock in (self.sock, self.server):
            sock.close()
        self.source.close()
        if self._thread.ident:
            self._thread.join(TIMEOUT_S)


@contextlib.contextmanager
def setting(*, quit_after_s: float | None = None, pause_s: float | None = None) -> Iterator[Setting]:
    with contextlib.closing(Setting(quit_after_s=quit_after_s, pause_s=pause_s)) as made:
        yield made


def test_both_ways_and_a_half_close() -> None:
    with setting() as it:
        it.start()
        it.source.far.sendall(b"question")
        assert it.server.recv(100) == b"question"
        it.source.far.close()
        assert receive_all(it.server) == b"", "the input's end is passed on"
        time.sleep(0.2)  # an answer that comes late
        it.server.sendall(b"late answer")
        it.server.close()
        assert it.join() is Ending.SERVER_CLOSED
        assert b"".join(it.received) == b"late answer"
        assert b"".join(it.sent) == b"question"
        assert len(it.half_closed) == 1


def test_quit_after_bounds_the_wait() -> None:
    with setting(quit_after_s=0.3) as it:
        it.start()
        it.source.far.close()
        started = time.monotonic()
        assert it.join() is Ending.QUIT_AFTER
        assert 0.2 < time.monotonic() - started < 2


def test_the_pause_is_limited_by_the_caller() -> None:
    with setting(pause_s=0.01) as it:
        it.start()
        wait_until(lambda: it.pauses > 5)
        it.server.close()
        assert it.join() is Ending.SERVER_CLOSED


def test_a_stop_sends_what_waits_and_reads_no_more() -> None:
    with setting() as it:
        it.relay.send(b"last words")
        it.relay.stop()
        it.source.far.sendall(b"too late")
        it.relay.send(b", all of them")
        it.start()
        assert it.join() is Ending.STOPPED
        it.sock.close()
        assert receive_all(it.server) == b"last words, all of them"
        assert not it.half_closed


def test_a_stop_does_not_wait_for_ever_for_a_server_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "FLUSH_S", 0.2)
    with setting() as it:
        it.relay.send(b"w" * 20_000_000)
        it.relay.stop()
        started = time.monotonic()
        it.start()
        assert it.join() is Ending.STOPPED
        assert 0.1 < time.monotonic() - started < 5


def test_after_a_stop_the_server_may_break_off() -> None:
    with setting() as it:
        it.relay.send(b"w" * 20_000_000)
        it.server.sendall(b"one line")
        it.relay._on_received = lambda _: it.relay.stop()
        it.start()
        wait_until(lambda: it.relay._stop_at is not None)
        it.server.close()  # with unread input: a reset
        assert it.join() is Ending.STOPPED


def test_the_server_leaves_while_input_is_open() -> None:
    with setting() as it:
        it.start()
        it.server.close()
        assert it.join() is Ending.SERVER_CLOSED


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
        feeder = threading.Thread(target=lambda: _send_quietly(it.source.far, data))
        feeder.start()
        wait_until(lambda: len(it.relay._unsent) >= 65_536)
        time.sleep(0.2)  # the kernel's buffers are full, and stay so
        assert it.relay._unsent
        it.server.shutdown(socket.SHUT_WR)
        outcome = it.join()
        assert isinstance(outcome, ConnectionBrokenError)
        assert "before it took everything" in str(outcome)
        it.close()
        feeder.join(TIMEOUT_S)


def _send_quietly(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(data)


def test_input_waits_while_the_server_does_not_read() -> None:
    with setting() as it:
        it.start()
        data = b"v" * 30_000_000
        feeder = threading.Thread(target=send_and_half_close, args=(it.source.far, data))
        feeder.start()
        time.sleep(0.3)
        assert len(it.relay._unsent) <= 2 * 65_536, "what was read and not sent yet is bounded"
        assert len(receive_all(it.server)) == len(data)
        feeder.join(TIMEOUT_S)
        it.server.close()
        assert it.join() is Ending.SERVER_CLOSED


def test_what_was_sent_before_a_reset_is_still_received() -> None:
    with setting() as it:
        it.server.sendall(b"last words")
        it.server.close()
        it.source.far.sendall(b"x")  # too late: answered with a reset
        time.sleep(0.1)
        it.start()
        it.join()
        assert b"".join(it.received) == b"last words"


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
def test_any_size(size: int) -> None:
    with setting() as it:
        it.start()
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        feeder = threading.Thread(target=send_and_half_close, args=(it.source.far, data))
        feeder.start()
        got = receive_all(it.server)
        it.server.sendall(got)
        it.server.close()
        assert it.join() is Ending.SERVER_CLOSED
        feeder.join(TIMEOUT_S)
        assert b"".join(it.received) == data


def test_answers_that_the_server_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MAX_ANSWERS_BYTES", 100_000)
    with setting() as it:
        it.relay.send(b"x" * 10_000_000)  # what a script says is its own affair
        for _ in range(250):
            it.relay.answer(b"pong" * 100)
        with pytest.raises(ConnectionBrokenError, match="asks for answers and takes none"):
            it.relay.answer(b"pong" * 100)


def test_answers_that_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MAX_ANSWERS_BYTES", 100_000)
    with setting(pause_s=0.0) as it:
        for _ in range(10):
            it.relay.answer(b"x" * 60_000)
            it.relay.step()
            receive_exactly(it.server, 60_000)
