"""Clients that do not read, and connections that break while something waits."""

import errno
import socket
from typing import Any
from unittest.mock import Mock

import pytest

from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import Limits
from sockctl.net.raw_peer import RawPeer
from sockctl.net.server import Server
from sockctl.services.echo import Echo
from tests.support.event_loops import asking_and_trying
from tests.support.raw_services import Reacting, Waiting, fill, reason_of, reset
from tests.support.running import (
    TIMEOUT_S,
    receive_all,
    receive_exactly,
    running,
)
from tests.support.two_hosts import on_every_network


@on_every_network
@asking_and_trying
def test_a_half_close_before_anything_was_read_loses_nothing(make_event_loop: type[EventLoop]) -> None:
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as sock:
        data = fill(run, sock)
        run.sink.wait_for("reading_paused")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == data
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
        assert run.sink.named("reading_resumed")


def test_a_reset_while_much_is_queued() -> None:
    with running(Echo()) as run:
        with run.client() as sock:
            fill(run, sock)
            run.sink.wait_for("reading_paused")
            reset(sock)
        assert reason_of(run) is DisconnectReason.CLIENT_RESET


@asking_and_trying
def test_a_client_that_never_reads_waits_and_the_others_do_not(make_event_loop: type[EventLoop]) -> None:
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as stalled, run.client() as other:
        sent = fill(run, stalled)
        paused = run.sink.wait_for("reading_paused")[-1]
        assert paused.queued_bytes <= 65_536, "at most one read's worth waits in memory"
        for _ in range(100):
            other.sendall(b"a")
            assert receive_exactly(other, 1) == b"a"
        assert run.sink.named("client_disconnected") == []
        stalled.shutdown(socket.SHUT_WR)
        assert receive_all(stalled) == sent


class OutOfBuffers(Server):
    """A server whose kernel refuses whatever is sent."""

    def process_request(self, request: Any, client_address: Any) -> None:
        sock = Mock(wraps=request)
        sock.send.side_effect = OSError(errno.ENOBUFS, "no buffers")
        super().process_request(sock, client_address)


class Farewell(Reacting):
    """Sends something at the end of the input, too."""

    def ended(self, peer: RawPeer) -> None:
        peer.post(b"last words")


@asking_and_trying
def test_a_connection_that_cannot_be_sent_to_is_closed(make_event_loop: type[EventLoop]) -> None:
    with (
        running(Farewell(), make_server=OutOfBuffers, make_event_loop=make_event_loop) as run,
        run.client() as sock,
    ):
        sock.sendall(b"a")
        assert receive_all(sock) == b""
        assert reason_of(run) is DisconnectReason.CLIENT_RESET
        with run.client() as second:
            second.shutdown(socket.SHUT_WR)
            assert receive_all(second) == b""
        assert reason_of(run, 2) is DisconnectReason.CLIENT_RESET


class Gossip(Waiting):
    """Says to all others what one of them has said, and keeps what it heard."""

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[RawPeer] = []
        self.heard: list[bytes] = []

    def received(self, peer: RawPeer, data: memoryview) -> None:
        if peer not in self.peers:
            self.peers.append(peer)
        self.heard.append(bytes(data))
        super().received(peer, data)
        for other in self.peers:
            if other is not peer:
                other.post(b"news")
        if bytes(data).endswith(b"quit"):
            peer.close(DisconnectReason.CLIENT_EXIT)


@pytest.mark.parametrize(
    ("last", "reason"), [(b"", DisconnectReason.CLIENT_RESET), (b"quit", DisconnectReason.CLIENT_EXIT)]
)
def test_what_came_before_a_break_is_heard(last: bytes, reason: Reason) -> None:
    """The server sends before it has read, and so learns first that the client is gone."""
    service = Gossip()
    words = bytes(10_000) + last
    limits = Limits(event_threads=1, read_bytes=1000)
    with running(service, limits) as run, run.client() as first, run.client() as second:
        second.sendall(b"a")
        receive_exactly(second, 1)
        first.sendall(b"wait")
        assert service.waits.wait(TIMEOUT_S)
        first.sendall(b"more")
        second.sendall(words)
        reset(second)
        service.go_on.set()
        assert reason_of(run, 2) is reason
        heard = service.heard
        assert b"".join(one for one in heard if one != b"more") == b"await" + words
        assert heard.index(b"more") < 8, "one read a round: nobody waits until all of it is heard"
        ended = next(event for event in run.sink.named("client_disconnected") if event.connection == 2)
        assert ended.bytes_in == 1 + len(words)
