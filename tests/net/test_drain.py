"""The server's stop: what is answered, who is waited for, and for how long."""

import contextlib
import errno
import fcntl
import socket
import sys
import termios
import threading
import time
from collections import Counter
from typing import Any, ClassVar

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.event_loop import EventLoop
from sockctl.net.kernel_queues import count_unacked_bytes
from sockctl.net.limits import Timeouts
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import Conversation, RawService
from sockctl.services.echo import Echo
from tests.support.event_loops import asking_and_trying
from tests.support.raw_services import (
    Flood,
    Greeter,
    fill,
    handler_threads,
    reason_of,
)
from tests.support.running import (
    TIMEOUT_S,
    Running,
    receive_all,
    receive_exactly,
    running,
    wait_until,
)

PATIENT = Timeouts(linger_s=TIMEOUT_S, quiet_s=0.1)


def test_an_idle_client_costs_no_waiting() -> None:
    with running(Echo(), timeouts=PATIENT) as run, run.client() as idle:
        idle.sendall(b"a")
        receive_exactly(idle, 1)
        time.sleep(PATIENT.quiet_s + 0.1)  # that it is idle is what is tested
        started = time.monotonic()
        assert run.stop(TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2
        assert receive_all(idle) == b""
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_a_client_that_never_spoke_costs_no_waiting() -> None:
    with running(Echo(), timeouts=PATIENT) as run, run.client() as idle:
        run.sink.wait_for("client_connected")
        started = time.monotonic()
        assert run.stop(TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2
        assert receive_all(idle) == b""


@asking_and_trying
def test_input_that_has_come_is_answered_before_the_end(make_event_loop: type[EventLoop]) -> None:
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as busy:
        data = b"d" * 3_000_000
        received = bytearray()
        reader = threading.Thread(target=lambda: received.extend(receive_all(busy)))
        busy.sendall(data[:100_000])
        reader.start()
        wait_until(lambda: not count_unacked_bytes(busy.fileno()))  # the server's kernel has all
        assert run.stop(TIMEOUT_S)
        reader.join(TIMEOUT_S)
        assert len(received) == 100_000
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


@pytest.mark.usefixtures("network")
def test_a_busy_client_gets_whole_answers_until_the_end() -> None:
    with running(Echo()) as run, run.client() as busy:
        counts = Counter[str]()

        def talk() -> None:
            with contextlib.suppress(OSError):
                while True:
                    busy.sendall(b"m" * 1000)
                    counts["sent"] += 1000
                    while counts["received"] < counts["sent"]:
                        part = busy.recv(65_536)
                        if not part:
                            return
                        counts["received"] += len(part)

        talker = threading.Thread(target=talk)
        talker.start()
        wait_until(lambda: counts["received"] > 100_000)
        assert run.stop()
        talker.join(TIMEOUT_S)
        assert not talker.is_alive()
        assert counts["received"] >= counts["sent"] - 1000, "at most the message that came after the stop is unanswered"
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_a_client_that_does_not_read_is_cut_off_at_the_drain_timeout() -> None:
    with running(Echo()) as run, run.client() as stalled:
        fill(run, stalled)
        started = time.monotonic()
        assert run.stop(0.5)
        assert 0.4 < time.monotonic() - started < TIMEOUT_S / 2
        assert reason_of(run) is DisconnectReason.DRAIN_TIMEOUT


@asking_and_trying
def test_a_lingering_client_is_cut_off_at_the_drain_timeout(make_event_loop: type[EventLoop]) -> None:
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as sock:
        sock.sendall(b"a")
        receive_exactly(sock, 1)
        assert run.stop(0.2)
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_a_conversation_is_interrupted() -> None:
    with running(Greeter()) as run, run.client() as sock:
        receive_exactly(sock, 6)
        started = time.monotonic()
        assert run.stop(TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_a_conversation_that_waits_to_send_is_cut_off() -> None:
    with running(Flood()) as run, run.client() as sock:
        receive_exactly(sock, 10)
        assert run.stop(0.3)
        assert reason_of(run) in (DisconnectReason.DRAIN_TIMEOUT, DisconnectReason.SERVER_STOPPING)


class Stuck(RawService, Conversation[RawPeer]):
    """Doesn't return until it is let go."""

    name: ClassVar[str] = "stuck"
    does = "It is stuck."

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def converse(self, peer: RawPeer) -> None:
        peer.send(b"!")
        self.let_go.wait(TIMEOUT_S)


def test_a_conversation_that_never_ends_does_not_hold_up_the_stop() -> None:
    service = Stuck()
    with running(service, timeouts=Timeouts(abandon_s=0.1)) as run, run.client() as sock:
        receive_exactly(sock, 1)
        assert not run.stop(0.1), "and the stop says that not everything has ended"
        assert reason_of(run) is DisconnectReason.DRAIN_TIMEOUT
        service.let_go.set()
        wait_until(lambda: not handler_threads())


def slow_reader(run: Running, size: int) -> socket.socket:
    """Connect with a small receive buffer and send what the server can pass to its kernel; read none of it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(TIMEOUT_S)
    sock.connect((run.host, run.port))
    sock.sendall(b"s" * size)
    wait_until(lambda: sum(event.bytes for event in run.sink.named("data_sent")) == size)
    return sock


@pytest.mark.skipif(sys.platform != "linux", reason="how much is not acknowledged yet is asked as on Linux")
def test_what_the_kernel_still_has_is_not_destroyed_by_the_stop() -> None:
    with running(Echo(), timeouts=PATIENT) as run, slow_reader(run, 400_000) as sock:
        time.sleep(PATIENT.quiet_s + 0.1)  # quiet, but not done
        stopper = threading.Thread(target=run.stop, args=(TIMEOUT_S,))
        stopper.start()
        run.sink.wait_for("server_stopping")
        sock.sendall(b"more")  # would be answered with a reset if the connection were closed by now
        assert receive_all(sock).removesuffix(b"more") == b"s" * 400_000, "`more` may have come before the drain began"
        sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


@pytest.mark.skipif(sys.platform != "linux", reason="as above")
def test_a_client_that_still_reads_is_lingered_for() -> None:
    timeouts = Timeouts(linger_s=2.0)
    with running(Echo(), timeouts=timeouts) as run, slow_reader(run, 200_000) as sock:
        stopper = threading.Thread(target=run.stop, args=(20.0,))
        stopper.start()
        run.sink.wait_for("server_stopping")
        received = 0
        started = time.monotonic()
        while part := sock.recv(10_000):
            received += len(part)
            sock.sendall(b"x")
            time.sleep(0.12)
        assert received >= 200_000, "and perhaps an answer to what came before the drain began"
        assert time.monotonic() - started > timeouts.linger_s, "it took longer than one linger time"
        sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped


@pytest.mark.skipif(sys.platform != "linux", reason="as above")
def test_a_client_that_does_not_take_what_the_kernel_has_is_cut_off() -> None:
    with running(Echo(), timeouts=PATIENT) as run, slow_reader(run, 400_000):
        assert run.stop(0.5)
        assert reason_of(run) is DisconnectReason.DRAIN_TIMEOUT


def test_a_drain_longer_than_the_flush_time() -> None:
    with running(Echo(), timeouts=Timeouts(flush_s=0.2, linger_s=TIMEOUT_S)) as run, run.client() as sock:
        data = fill(run, sock)
        stopper = threading.Thread(target=run.stop, args=(20.0,))
        stopper.start()
        run.sink.wait_for("server_stopping")
        time.sleep(0.5)  # longer than a client may take to read outside a drain
        answer = receive_all(sock)
        assert data.startswith(answer)
        assert len(answer) > 1_000_000
        sock.close()
        stopper.join(TIMEOUT_S)
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


class Farewell(RawService, Conversation[RawPeer]):
    """Says a lot at its end, whatever ends it."""

    name: ClassVar[str] = "farewell"
    does = "It says farewell."

    def converse(self, peer: RawPeer) -> None:
        peer.send(b"!")
        try:
            while peer.receive():
                pass
        finally:
            peer.send(b"f" * 1_000_000)


def test_the_last_words_of_an_interrupted_conversation_arrive() -> None:
    with running(Farewell(), timeouts=PATIENT) as run, run.client() as sock:
        receive_exactly(sock, 1)
        stopper = threading.Thread(target=run.stop, args=(TIMEOUT_S,))
        stopper.start()
        run.sink.wait_for("server_stopping")
        wait_until(lambda: not handler_threads() or bool(run.sink.named("data_sent")))
        sock.sendall(b"still talking")
        assert len(receive_all(sock)) == 1_000_000
        sock.close()
        stopper.join(TIMEOUT_S)
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_a_defect_while_draining_ends_one_connection_only(monkeypatch: pytest.MonkeyPatch) -> None:
    ioctl = fcntl.ioctl

    def fail(fd: int, request: int, *rest: Any) -> Any:
        if request == termios.FIONREAD:
            raise OSError(errno.ENOMEM, "no memory")
        return ioctl(fd, request, *rest)

    with running(Echo()) as run, run.client() as first, run.client() as second:
        for sock in (first, second):
            sock.sendall(b"a")
            receive_exactly(sock, 1)
        monkeypatch.setattr(fcntl, "ioctl", fail)
        assert run.stop()
        assert receive_all(first) == receive_all(second) == b""
        assert {event.reason for event in run.sink.named("client_disconnected")} == {DisconnectReason.INTERNAL_ERROR}


def test_a_connection_handed_over_during_the_drain_is_ended() -> None:
    service = Stuck()
    with running(service) as run, run.client() as sock:
        receive_exactly(sock, 1)
        threading.Timer(0.3, service.let_go.set).start()
        assert run.stop(5.0)
        assert receive_all(sock) == b""
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING
