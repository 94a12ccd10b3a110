"""The server with real sockets: what comes back, limits, conversations, defects."""

import contextlib
import errno
import random
import socket
import threading
from functools import partial
from typing import Any

import pytest

from sockctl.events.reasons import DisconnectReason, RefusalReason
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import READ_BYTES, Limits, Timeouts
from sockctl.net.poller import SelectorPoller
from sockctl.net.raw_peer import RawPeer
from sockctl.net.transport import TlsTransport
from sockctl.services.echo import Case, CaseEcho, Echo
from tests.support.event_loops import asking_and_trying
from tests.support.raw_services import (
    MANY,
    Greeter,
    Reacting,
    Waiting,
    fill,
    handler_threads,
    reason_of,
    reset,
)
from tests.support.running import (
    TIMEOUT_S,
    receive_all,
    receive_exactly,
    running,
    send_and_half_close,
    wait_until,
)
from tests.support.two_hosts import on_every_network


@on_every_network
@asking_and_trying
def test_every_byte_comes_back_after_a_half_close(make_event_loop: type[EventLoop]) -> None:
    data = random.Random(1).randbytes(3_000_000)
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as sock:
        sender = threading.Thread(target=send_and_half_close, args=(sock, data))
        sender.start()
        assert receive_all(sock) == data
        sender.join()
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
        ended = run.sink.named("client_disconnected")[0]
        assert (ended.bytes_in, ended.bytes_out) == (len(data), len(data))
        assert [event.connection for event in run.sink.named("input_ended")] == [1]


@on_every_network
@pytest.mark.parametrize("size", [READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 2 * READ_BYTES])
def test_what_one_read_leaves_is_read_by_the_next(size: int) -> None:
    service = Waiting()
    with running(service) as run, run.client() as sock, run.client() as other:
        data = random.Random(size).randbytes(size)
        other.sendall(b"wait")
        assert service.waits.wait(TIMEOUT_S)
        sock.sendall(data)
        service.go_on.set()
        assert receive_exactly(sock, size) == data


@on_every_network
@asking_and_trying
def test_data_around_an_urgent_byte_is_read(make_event_loop: type[EventLoop]) -> None:
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as sock:
        sock.sendall(b"before")
        sock.send(b"!", socket.MSG_OOB)  # ends the read; it has a channel of its own, and doesn't come back
        sock.sendall(b"after")
        assert receive_exactly(sock, 11) == b"beforeafter"
        sock.send(b"!", socket.MSG_OOB)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


@on_every_network
def test_case_mapping_across_portions() -> None:
    text = "grüße " * 40_000
    with running(CaseEcho(Case.UPPER)) as run, run.client() as sock:
        sender = threading.Thread(target=send_and_half_close, args=(sock, text.encode() + b"\xc3"))
        sender.start()
        assert receive_all(sock) == text.upper().encode() + b"\xc3"
        sender.join()


def test_case_echo_of_nothing() -> None:
    with running(CaseEcho(Case.UPPER)) as run, run.client() as sock:
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""


def _portable(*arguments: Any, **options: Any) -> EventLoop:
    return EventLoop(*arguments, poller=SelectorPoller(), **options)


def test_the_portable_poller_serves_as_well() -> None:
    with running(Echo(), make_event_loop=_portable) as run, run.client() as sock:
        data = fill(run, sock)
        run.sink.wait_for("reading_paused")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == data


def test_too_many_clients_and_slots_given_back() -> None:
    with running(Echo(), Limits(max_clients=2, max_clients_per_address=2)) as run:  # noqa: SIM117  it comes first
        with run.client() as first, run.client() as second, run.client() as third:
            assert receive_all(third) == b""
            refused = run.sink.wait_for("client_refused")[0]
            assert refused.reason is RefusalReason.TOO_MANY_CLIENTS
            assert refused.peer == "{}:{}".format(*third.getsockname())
            for sock in (first, second):
                sock.sendall(b"a")
                assert receive_exactly(sock, 1) == b"a"
            reset(first)
            reason_of(run, 1)
            with run.client() as fourth:
                fourth.sendall(b"b")
                assert receive_exactly(fourth, 1) == b"b"


def test_too_many_from_one_address() -> None:
    with running(Echo(), Limits(max_clients=10, max_clients_per_address=1)) as run:  # noqa: SIM117  as above
        with run.client(source="127.0.0.1"), run.client(source="127.0.0.1") as second:
            assert receive_all(second) == b""
            assert run.sink.wait_for("client_refused")[0].reason is RefusalReason.TOO_MANY_FROM_ADDRESS
            with run.client(source="127.0.0.2") as other:
                other.sendall(b"a")
                assert receive_exactly(other, 1) == b"a"


def test_slots_come_back_however_a_connection_ends() -> None:
    with running(Echo(), Limits(max_clients=1), Timeouts(idle_s=2.0)) as run:
        for number, end in enumerate([reset, socket.socket.close, receive_all], start=1):
            with run.client() as sock:
                sock.sendall(b"a")
                receive_exactly(sock, 1)
                end(sock)
            reason_of(run, number)
        assert not run.sink.named("client_refused")


def test_many_clients_at_once() -> None:
    with running(Echo(), MANY) as run, contextlib.ExitStack() as clients:
        socks = [clients.enter_context(run.client()) for _ in range(300)]
        for number, sock in enumerate(socks):
            sock.sendall(b"%d" % number)
        for number, sock in enumerate(socks):
            assert receive_exactly(sock, len(str(number))) == b"%d" % number
        run.sink.wait_for("client_connected", 300)
        assert len({event.connection for event in run.sink.named("client_connected")}) == 300


class Fragile(Reacting):
    """Fails when it is told to."""

    def received(self, peer: RawPeer, data: memoryview) -> None:
        if bytes(data) == b"fail":
            raise ValueError("a defect")
        super().received(peer, data)

    def ended(self, peer: RawPeer) -> None:
        if peer.number == 2:
            raise ValueError("a defect at the end")


@asking_and_trying
def test_a_defect_of_a_service_ends_one_connection_only(make_event_loop: type[EventLoop]) -> None:
    with (
        running(Fragile(), make_event_loop=make_event_loop) as run,
        run.client() as other,
        run.client() as second,
        run.client() as third,
    ):
        third.sendall(b"fail")
        assert receive_all(third) == b""
        second.shutdown(socket.SHUT_WR)
        assert receive_all(second) == b""
        assert reason_of(run, 3) is DisconnectReason.INTERNAL_ERROR
        assert reason_of(run, 2) is DisconnectReason.INTERNAL_ERROR
        assert {event.error for event in run.sink.named("service_failed")} == {
            "ValueError: a defect",
            "ValueError: a defect at the end",
        }
        other.sendall(b"a")
        assert receive_exactly(other, 1) == b"a"


class FullPoller(SelectorPoller):
    """Takes no further descriptor while it is full."""

    full = False

    def register(self, fd: int, eventmask: int, /) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "the poller is full")
        super().register(fd, eventmask)


def test_a_defect_in_a_call_ends_one_connection_only() -> None:
    poller = FullPoller()
    event_loop = partial(EventLoop, poller=poller)
    with running(Echo(), Limits(event_threads=1), make_event_loop=event_loop) as run, run.client() as other:
        other.sendall(b"a")
        receive_exactly(other, 1)
        poller.full = True
        with run.client() as sock:
            assert receive_all(sock) == b""
        assert reason_of(run, 2) is DisconnectReason.INTERNAL_ERROR
        poller.full = False
        other.sendall(b"a")
        assert receive_exactly(other, 1) == b"a"


def test_out_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    allowed = False

    def no_more(thread: threading.Thread) -> None:
        if not allowed and "process_request_thread" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    with running(Greeter(), Limits(max_clients=1)) as run:
        monkeypatch.setattr(threading.Thread, "start", no_more)
        with run.client() as sock:
            assert receive_all(sock) == b""
        assert run.sink.wait_for("client_refused")[0].reason is RefusalReason.OUT_OF_THREADS
        allowed = True
        with run.client() as sock:
            assert receive_exactly(sock, 6) == b"name? "


def test_a_conversation_in_turns() -> None:
    with running(Greeter()) as run, run.client() as sock:
        assert receive_exactly(sock, 6) == b"name? "
        sock.sendall(b"ada\n")
        assert receive_all(sock) == b"hello ada\n"
        sock.close()
        assert reason_of(run) is DisconnectReason.SERVER_CLOSED
        names = [event.name for event in run.sink.events]
        assert names[0] == "client_connected"
        assert sum(event.bytes for event in run.sink.named("data_sent")) == len(b"name? hello ada\n")


@asking_and_trying
def test_a_conversation_that_goes_on_by_reacting(make_event_loop: type[EventLoop]) -> None:
    with running(Greeter(), make_event_loop=make_event_loop) as run, run.client() as sock:
        sock.sendall(b"echo\n")
        assert receive_exactly(sock, 17) == b"name? hello echo\n"
        for _ in range(3):
            sock.sendall(b"abc")
            assert receive_exactly(sock, 3) == b"ABC"
        wait_until(lambda: not handler_threads())
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


def test_a_client_that_leaves_in_a_conversation() -> None:
    with running(Greeter()) as run:
        with run.client() as sock:
            receive_exactly(sock, 6)
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b"hello \n"
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
        with run.client() as sock:
            receive_exactly(sock, 6)
            reset(sock)
        assert reason_of(run, 2) is DisconnectReason.CLIENT_RESET


def test_a_defect_in_a_conversation() -> None:
    with running(Greeter()) as run, run.client() as sock:
        sock.sendall(b"fail")
        assert receive_all(sock) == b"name? hello fail\n"
        sock.close()
        assert reason_of(run) is DisconnectReason.INTERNAL_ERROR
        assert run.sink.named("service_failed")[0].error == "ValueError: no such name"


def test_a_client_that_cannot_be_served_gives_back_its_slot() -> None:
    def fail(_: socket.socket) -> TlsTransport:
        raise ValueError("a defect")

    with running(Echo(), Limits(max_clients=1), secure=fail) as run:
        with run.client() as sock:
            assert receive_all(sock) == b""
        assert run.sink.wait_for("client_refused")[0].reason is RefusalReason.INTERNAL_ERROR
        run.server.secure = None
        with run.client() as sock:
            sock.sendall(b"a")
            assert receive_exactly(sock, 1) == b"a"


def test_who_comes_while_the_server_stops() -> None:
    with running(Echo()) as run:
        port = run.port
        with run.client() as sock:
            sock.sendall(b"a")
            receive_exactly(sock, 1)
            assert run.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((run.host, port), 5)
        stopped = run.sink.wait_for("server_stopped")[0]
        assert (stopped.clients, stopped.bytes_in, stopped.bytes_out) == (1, 1, 1)
