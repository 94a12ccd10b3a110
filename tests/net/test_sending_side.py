"""Sending: from any thread, and in a conversation that waits."""

import socket
import threading
from typing import ClassVar

from sockctl.events.reasons import DisconnectReason
from sockctl.net.event_loop import EventLoop
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import RawService
from tests.support.event_loops import asking_and_trying
from tests.support.raw_services import Flood, reason_of, reset
from tests.support.running import (
    receive_all,
    receive_exactly,
    running,
    wait_until,
)


@asking_and_trying
def test_a_conversation_waits_for_a_slow_reader(make_event_loop: type[EventLoop]) -> None:
    with running(Flood(), make_event_loop=make_event_loop) as run, run.client() as sock:
        wait_until(lambda: bool(run.sink.named("data_sent")))
        assert len(receive_exactly(sock, Flood.size)) == Flood.size
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


def test_a_reset_while_a_conversation_waits_to_send() -> None:
    with running(Flood()) as run:
        with run.client() as sock:
            receive_exactly(sock, 10)
            reset(sock)
        assert reason_of(run) is DisconnectReason.CLIENT_RESET


class Teller(RawService):
    """Says to the first client what the others send, from threads of its own as well."""

    name: ClassVar[str] = "teller"
    does = "It tells."

    def __init__(self) -> None:
        self.peers: list[RawPeer] = []

    def received(self, peer: RawPeer, data: memoryview) -> None:
        if not self.peers:
            self.peers.append(peer)
        self.peers[0].post(bytes(data))


def post_often(peer: RawPeer, piece: bytes, rounds: int) -> None:
    for _ in range(rounds):
        peer.post(piece)


@asking_and_trying
def test_any_thread_may_post(make_event_loop: type[EventLoop]) -> None:
    service = Teller()
    with running(service, make_event_loop=make_event_loop) as run, run.client() as sock:
        sock.sendall(b"!")
        receive_exactly(sock, 1)
        piece, rounds = b"p" * 10_000, 200
        threads = [threading.Thread(target=post_often, args=(service.peers[0], piece, rounds)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(receive_exactly(sock, 4 * rounds * len(piece))) == 4 * rounds * len(piece)
        wait_until(lambda: sum(e.bytes for e in run.sink.named("data_sent")) == 1 + 4 * rounds * len(piece))
        run.stop()
        service.peers[0].post(b"too late")  # does nothing, and fails nothing
