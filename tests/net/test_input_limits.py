"""Clients that send too much, or take nothing: they wait, they go, and the others notice nothing."""

import contextlib
import json
import socket
import struct
import threading
import time
from typing import ClassVar

import pytest

from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.conversing_peer import SLICE
from sockctl.net.input_budget import InputRates
from sockctl.net.limits import READ_BYTES, Limits, Timeouts
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.messages import Message
from sockctl.services.login_reasons import SESSION_ENDED
from tests.support.budgets import NO_WORK
from tests.support.frames import frame, frame_client, framed
from tests.support.message_services import reason_of
from tests.support.running import TIMEOUT_S, receive_all, running, wait_until

UNKNOWN = framed(kind="no such kind")


FLOODED_AT_ONCE = InputRates(rate=0.01, burst_s=0.001, address_rate=1.0, address_burst_s=1.0, flooding_s=0.2)


TWO_MS = InputRates(rate=1e-6, burst_s=0.002, address_rate=1.0, address_burst_s=1.0, flooding_s=1e9)


PLENTY = 20_000
"""Messages: their work is settled some sixty times."""


class Listener(MessageService):
    """Keeps whose lines it heard, and waits at the first until it is let go."""

    name: ClassVar[str] = "listener"
    does = "It listens."

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.heard: list[tuple[int, str]] = []
        self.gone: list[int] = []
        self.peers: list[Peer] = []

    def joined(self, peer: Peer) -> None:
        self.peers.append(peer)

    def received(self, peer: Peer, batch: list[Message]) -> None:
        assert self.let_go.wait(TIMEOUT_S)
        self.heard += [(peer.number, one.text) for one in batch if one.kind == "line"]

    def left(self, peer: Peer, reason: Reason) -> None:  # noqa: ARG002  why doesn't matter
        self.gone.append(peer.number)

    def heard_of(self, number: int) -> list[str]:
        return [text for one, text in self.heard if one == number]


class Asker(MessageService, Conversation[Peer]):
    """Converses: it waits for `wait`, and then says much to whoever doesn't read."""

    name: ClassVar[str] = "asker"
    does = "It asks."

    def __init__(self, *, until_s: float = 3600.0) -> None:
        self._until_s = until_s
        self.heard = 0
        self.talking = threading.Event()
        self.peers: list[Peer] = []

    def converse(self, peer: Peer) -> None:
        self.peers.append(peer)
        peer.until = time.monotonic() + self._until_s
        while (one := peer.receive()) is not None:
            self.heard += 1
            if one.text == "talk":
                self.talking.set()
                for _ in range(1000):
                    peer.tell("say", "x" * 10_000)


def lines(count: int) -> bytes:
    return b"".join(framed(kind="line", text=str(number)) for number in range(count))


def test_one_who_sends_much_at_once_is_decoded_in_slices_and_the_others_have_their_turn() -> None:
    service = Listener()
    with running(service) as run, frame_client(run.port) as loud, frame_client(run.port) as quiet:
        loud.sock.sendall(lines(20 * SLICE))
        loud.sock.shutdown(socket.SHUT_WR)
        quiet.line("I too")
        time.sleep(0.05)  # both have come, most likely: the test can only become easier if not
        service.let_go.set()
        wait_until(lambda: len(service.heard) == 20 * SLICE + 1)
        assert service.heard.index((2, "I too")) <= 2 * SLICE
        assert service.heard_of(1) == [str(number) for number in range(20 * SLICE)]
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


def test_what_a_client_had_sent_before_it_broke_is_heard_also_in_slices() -> None:
    service = Listener()
    with running(service) as run:
        with frame_client(run.port) as client:
            client.sock.sendall(lines(20 * SLICE))
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            service.let_go.set()
            wait_until(lambda: len(service.heard) > 2 * SLICE)
        wait_until(lambda: service.gone == [1])
        heard = service.heard_of(1)
        assert heard == [str(number) for number in range(len(heard))]
        assert reason_of(run) in {DisconnectReason.CLIENT_RESET, DisconnectReason.CLIENT_CLOSED}


def test_one_who_broke_while_it_was_held_is_heard_to_its_end_and_closed() -> None:
    service = Listener()
    one = framed(kind="line", text="x" * 80)
    count = READ_BYTES // len(one) + SLICE // 4  # a read that is decoded in slices, and another one that isn't
    with running(service) as run:
        with frame_client(run.port) as client:
            wait_until(lambda: bool(service.peers))
            client.sock.sendall(one * count)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        service.peers[0].tell("notice", "what tells the server that the connection broke")
        service.let_go.set()
        wait_until(lambda: service.gone == [1])


def test_a_client_beyond_its_budget_is_read_from_more_slowly_and_loses_nothing() -> None:
    service = Listener()
    service.let_go.set()
    slow = InputRates(rate=0.2, burst_s=0.001, address_rate=1.0, address_burst_s=1.0, flooding_s=1e9)
    with running(service, Limits(member_input=slow)) as run, frame_client(run.port) as client:
        began = time.monotonic()
        client.sock.sendall(lines(PLENTY))
        client.sock.shutdown(socket.SHUT_WR)
        wait_until(lambda: len(service.heard) == PLENTY)
        assert time.monotonic() - began > 0.2, "60 ms of work, at a fifth of a second a second"
        assert service.heard_of(1) == [str(number) for number in range(PLENTY)]
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
        assert run.sink.named("input_throttled")[0].connection == 1


def test_the_others_hear_nothing_of_it() -> None:
    service = Listener()
    service.let_go.set()
    with running(service, Limits(member_input=NO_WORK)) as run, frame_client(run.port) as loud:
        loud.sock.sendall(UNKNOWN * PLENTY)
        run.sink.wait_for("input_throttled")
        with frame_client(run.port, source="127.0.0.2") as quiet, frame_client(run.port) as neighbour:
            quiet.line("I am heard")
            neighbour.line("I too")  # who says little owes nothing, also beside whoever floods
            wait_until(lambda: {text for _, text in service.heard} == {"I am heard", "I too"})


@pytest.mark.parametrize("pong", [b"\n", framed(kind="pong"), framed(kind="hello"), UNKNOWN, b"\xff\xf1"])
def test_everything_that_is_sent_is_charged(pong: bytes) -> None:
    service = Listener()
    service.let_go.set()
    limits = Limits(member_input=NO_WORK)
    with running(service, limits) as run, run.client() as sock, contextlib.suppress(TimeoutError):
        sock.settimeout(0.2)
        with contextlib.suppress(OSError):
            sock.sendall(pong * 100_000)
        run.sink.wait_for("input_throttled")


def test_who_is_beyond_it_for_too_long_is_closed_for_flooding() -> None:
    service = Listener()
    service.let_go.set()
    with running(service, Limits(member_input=FLOODED_AT_ONCE)) as run, frame_client(run.port) as client:
        with contextlib.suppress(OSError):
            client.sock.sendall(UNKNOWN * PLENTY * 10)
        assert reason_of(run) is DisconnectReason.FLOODING
        assert client.rest()[-1]["kind"] == "bye"


def test_a_stop_waits_for_nobodys_budget() -> None:
    service = Listener()
    service.let_go.set()
    with running(service, Limits(member_input=NO_WORK)) as run, frame_client(run.port) as client:
        client.sock.sendall(UNKNOWN * PLENTY)
        run.sink.wait_for("input_throttled")
        began = time.monotonic()
        assert run.stop(TIMEOUT_S)
        assert time.monotonic() - began < TIMEOUT_S / 2
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_a_stop_answers_what_had_come_also_in_slices() -> None:
    service = Listener()
    with running(service) as run, frame_client(run.port) as client:
        client.sock.sendall(lines(10 * SLICE))
        run.sink.wait_for("client_connected")
        stopper = threading.Thread(target=run.stop)
        stopper.start()
        service.let_go.set()
        stopper.join()
        assert service.heard_of(1) == [str(number) for number in range(len(service.heard))]
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_what_is_posted_to_one_who_is_held_arrives() -> None:
    service = Listener()
    service.let_go.set()
    with running(service, Limits(member_input=NO_WORK)) as run, frame_client(run.port) as client:
        client.sock.sendall(UNKNOWN * PLENTY)
        run.sink.wait_for("input_throttled")
        service.peers[0].tell("say", "still here")
        client.expect("say", text="still here")


def test_a_stranger_beyond_its_budget_waits() -> None:
    service = Asker()
    with running(service, Limits(stranger_input=NO_WORK)) as run, frame_client(run.port) as client:
        client.sock.sendall(UNKNOWN * PLENTY)
        run.sink.wait_for("input_throttled")
        assert service.heard < PLENTY
        began = time.monotonic()
        assert run.stop(TIMEOUT_S)
        assert time.monotonic() - began < TIMEOUT_S / 2


def test_a_stranger_who_goes_on_is_closed_for_flooding() -> None:
    with running(Asker(), Limits(stranger_input=FLOODED_AT_ONCE)) as run, frame_client(run.port) as client:
        with contextlib.suppress(OSError):
            client.sock.sendall(UNKNOWN * PLENTY * 10)
        assert reason_of(run) is DisconnectReason.FLOODING


def test_who_waits_for_its_budget_still_has_to_log_in_in_time() -> None:
    limits = Limits(stranger_input=NO_WORK)
    with running(Asker(until_s=0.3), limits) as run, frame_client(run.port) as client:
        client.sock.sendall(UNKNOWN * PLENTY)
        assert reason_of(run) is DisconnectReason.LOGIN_TIMEOUT


def test_what_is_skipped_is_charged() -> None:
    class Skipper(Asker):
        def converse(self, peer: Peer) -> None:
            peer.receive()
            peer.skip()
            super().converse(peer)

    with running(Skipper(), Limits(stranger_input=NO_WORK)) as run, frame_client(run.port) as client:
        with contextlib.suppress(OSError):
            client.sock.sendall(UNKNOWN * PLENTY)
        run.sink.wait_for("input_throttled")


def test_who_does_not_read_what_a_conversation_sends_is_closed() -> None:
    service = Asker()
    with running(service, timeouts=Timeouts(send_s=0.3)) as run, frame_client(run.port) as client:
        client.line("talk")
        assert reason_of(run) is DisconnectReason.SEND_TIMEOUT


def test_who_is_put_out_and_does_not_read_is_gone_in_a_moment() -> None:
    service = Asker()
    with running(service) as run, frame_client(run.port) as client:
        client.line("talk")
        assert service.talking.wait(TIMEOUT_S)
        began = time.monotonic()
        service.peers[0].close(SESSION_ENDED)
        assert reason_of(run) is SESSION_ENDED
        assert time.monotonic() - began < TIMEOUT_S / 2


def test_who_reacts_and_is_put_out_is_gone_in_a_moment_too() -> None:
    service = Listener()
    service.let_go.set()
    with running(service) as run, run.client() as sock:
        wait_until(lambda: bool(service.peers))
        for _ in range(1000):
            service.peers[0].tell("say", "x" * 10_000)
        run.sink.wait_for("reading_paused")
        began = time.monotonic()
        service.peers[0].close(SESSION_ENDED)
        assert reason_of(run) is SESSION_ENDED
        assert time.monotonic() - began < TIMEOUT_S / 2
        assert len(receive_all(sock)) < 10_000_000


@pytest.mark.parametrize(
    "costly",
    [
        framed(kind="pong", a=[[[[[[]]]]]] * 5_000),
        framed(kind="pong", a=[1.5] * 12_000),
        frame(json.dumps({"kind": "pong", "text": "\N{ZERO WIDTH JOINER}" * 21_000}, ensure_ascii=False)),
    ],
    ids=["nested", "numbers", "joiners"],
)
@pytest.mark.parametrize("service", [Listener, Asker], ids=["reacts", "converses"])
def test_what_takes_long_to_decode_is_charged_as_it_was_measured(
    service: type[Listener | Asker], costly: bytes
) -> None:
    limits = Limits(stranger_input=TWO_MS, member_input=TWO_MS)  # as a frame of that size 0.33 ms would be charged
    with running(service(), limits) as run, frame_client(run.port) as client:
        client.sock.sendall(costly)
        run.sink.wait_for("input_throttled")
