"""How connections end: idle, flushed, lingered for, reset."""

import socket
import time
from typing import ClassVar

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import Timeouts
from sockctl.net.listener import SocketOptions
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import RawService
from sockctl.services.echo import Echo
from tests.support.event_loops import asking_and_trying
from tests.support.raw_services import Flood, Greeter, fill, reason_of, reset
from tests.support.running import (
    TIMEOUT_S,
    receive_all,
    receive_exactly,
    running,
)


@asking_and_trying
def test_idle_connections_are_closed_and_busy_ones_are_not(make_event_loop: type[EventLoop]) -> None:
    with (
        running(Echo(), timeouts=Timeouts(idle_s=4.0), make_event_loop=make_event_loop) as run,
        run.client() as busy,
        run.client() as idle,
    ):
        idle.sendall(b"a")
        receive_exactly(idle, 1)
        while not run.sink.named("client_disconnected"):
            busy.sendall(b"b")
            receive_exactly(busy, 1)
            time.sleep(0.05)
        assert receive_all(idle) == b""
        assert reason_of(run, 2) is DisconnectReason.IDLE_TIMEOUT
        seconds = run.sink.named("client_disconnected")[0].seconds
        assert 4.0 <= seconds < TIMEOUT_S
        busy.sendall(b"c")
        assert receive_exactly(busy, 1) == b"c"


@asking_and_trying
def test_a_reset_is_told_and_hurts_nobody(make_event_loop: type[EventLoop]) -> None:
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as other:
        with run.client() as sock:
            sock.sendall(b"a")
            receive_exactly(sock, 1)
            reset(sock)
        assert reason_of(run, 2) is DisconnectReason.CLIENT_RESET
        other.sendall(b"a")
        assert receive_exactly(other, 1) == b"a"


def test_a_client_that_never_reads_is_dropped_by_the_idle_rule() -> None:
    with running(Echo(), timeouts=Timeouts(idle_s=3.0)) as run, run.client() as stalled:
        fill(run, stalled)
        assert reason_of(run) is DisconnectReason.IDLE_TIMEOUT


class LastWords(RawService):
    """Says a lot when the input has ended."""

    name: ClassVar[str] = "last-words"
    does = "It has the last words."

    def ended(self, peer: RawPeer) -> None:
        peer.post(b"w" * 20_000_000)


def test_a_half_closed_client_that_never_reads_is_dropped_by_the_idle_rule() -> None:
    with running(LastWords(), timeouts=Timeouts(idle_s=0.5)) as run, run.client() as stalled:
        stalled.shutdown(socket.SHUT_WR)
        assert reason_of(run) is DisconnectReason.IDLE_TIMEOUT
        assert run.sink.named("client_disconnected")[0].bytes_out < 20_000_000


@asking_and_trying
def test_a_half_closed_client_that_reads_slowly_gets_everything(make_event_loop: type[EventLoop]) -> None:
    with (
        running(LastWords(), timeouts=Timeouts(idle_s=5.0), make_event_loop=make_event_loop) as run,
        run.client() as slow,
    ):
        slow.shutdown(socket.SHUT_WR)
        received = 0
        while received < 20_000_000:
            received += len(receive_exactly(slow, 1_000_000))
            time.sleep(0.3)  # slower than the idle rule would allow if reading didn't count
        assert receive_all(slow) == b""
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="TCP_USER_TIMEOUT is Linux's")
def test_the_kernel_ends_what_takes_no_data_for_the_whole_vanish_timeout() -> None:
    options = SocketOptions(keepalive_s=1, vanish_timeout_s=2)
    with running(Echo(), options=options) as run, run.client() as stalled:
        fill(run, stalled)
        assert reason_of(run) is DisconnectReason.CLIENT_VANISHED


def test_idle_in_a_conversation() -> None:
    with running(Greeter(), timeouts=Timeouts(idle_s=2.0)) as run, run.client() as sock:
        assert receive_all(sock) == b"name? "
        assert reason_of(run) is DisconnectReason.IDLE_TIMEOUT


def test_idle_while_a_conversation_waits_to_send() -> None:
    with running(Flood(), timeouts=Timeouts(idle_s=0.4)) as run, run.client():
        assert reason_of(run) is DisconnectReason.IDLE_TIMEOUT


BYE = b"bye " * 100_000


class LastWordsAtOnce(RawService):
    """Says its last and closes, while input is still coming."""

    name: ClassVar[str] = "closing"
    does = "It closes."

    def __init__(self, last_words: bytes = BYE) -> None:
        self.last_words = last_words

    def received(self, peer: RawPeer, data: memoryview) -> None:
        del data
        peer.post(self.last_words)
        peer.close()
        peer.close()  # twice does no harm


@asking_and_trying
def test_the_last_words_survive_input_that_is_not_read(make_event_loop: type[EventLoop]) -> None:
    patient = Timeouts(linger_s=TIMEOUT_S)
    with running(LastWordsAtOnce(), timeouts=patient, make_event_loop=make_event_loop) as run, run.client() as sock:
        sock.sendall(b"x")
        run.sink.wait_for("data_received")
        sock.sendall(b"y" * 100_000)  # unread at the server: closing now would send a reset
        assert receive_all(sock) == BYE
        sock.close()
        assert reason_of(run) is DisconnectReason.SERVER_CLOSED


def test_lingering_has_an_end() -> None:
    with running(LastWordsAtOnce(), timeouts=Timeouts(linger_s=0.3)) as run, run.client() as sock:
        sock.sendall(b"x")
        assert receive_all(sock) == BYE
        assert reason_of(run) is DisconnectReason.SERVER_CLOSED  # though the client keeps its side open


def test_flushing_has_an_end() -> None:
    with running(LastWordsAtOnce(b"z" * 20_000_000), timeouts=Timeouts(flush_s=0.3)) as run, run.client() as sock:
        sock.sendall(b"x")
        assert reason_of(run) is DisconnectReason.SERVER_CLOSED  # though nothing was read
