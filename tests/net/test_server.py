"""The core with real sockets: how connections begin, are limited, stall, break and end."""

import contextlib
import dataclasses
import errno
import fcntl
import os
import random
import resource
import select
import socket
import struct
import sys
import termios
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import Mock

import pytest

from sockctl.events.base import Level
from sockctl.events.reasons import DisconnectReason, Reason, RefusalReason
from sockctl.net.access_rules import AccessRules
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import READ_BYTES, Limits, Timeouts
from sockctl.net.listener import SocketOptions
from sockctl.net.peer import RawPeer
from sockctl.net.poller import SelectorPoller
from sockctl.net.server import Server
from sockctl.net.service import Conversation, RawService
from sockctl.net.transport import TlsTransport
from sockctl.services.echo import Case, CaseEcho, Echo
from tests.support.event_loops import asking_and_trying
from tests.support.running import (
    TIMEOUT_S,
    Running,
    receive_all,
    receive_exactly,
    running,
    send_and_half_close,
    wait_until,
)
from tests.support.two_hosts import on_every_network

MANY = Limits(max_clients=2000, max_clients_per_address=2000)


def reset(sock: socket.socket) -> None:
    """Close with a reset instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def reason_of(run: Running, number: int = 1) -> Reason:
    """Wait for the end of a connection and return its reason."""
    wait_until(lambda: any(event.connection == number for event in run.sink.named("client_disconnected")))
    ended = [event for event in run.sink.named("client_disconnected") if event.connection == number]
    assert len(ended) == 1, "told once"
    reason: Reason = ended[0].reason
    return reason


def handler_threads() -> list[threading.Thread]:
    """Return the threads that hold conversations, of all servers in this process."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("sockctl-handler-")]


def _is_paused(run: Running) -> bool:
    return len(run.sink.named("reading_paused")) > len(run.sink.named("reading_resumed"))


def fill(run: Running, sock: socket.socket) -> bytes:
    """Send without reading until nothing more is taken; return what was sent."""
    block = random.Random(4).randbytes(1 << 20)
    sock.setblocking(False)
    sent = bytearray()
    while select.select([], [sock], [], 0.3)[1] or not _is_paused(run):
        start = len(sent) % len(block)
        try:
            taken = sock.send(block[start : start + 65_536])
        except BlockingIOError:
            continue
        sent += block[start : start + taken]
    sock.settimeout(TIMEOUT_S)
    return bytes(sent)


class Greeter(RawService, Conversation[RawPeer]):
    """Asks for a name, greets, and goes on as an echo where the name is `echo`."""

    name: ClassVar[str] = "greeter"
    does = "It greets."

    def converse(self, peer: RawPeer) -> None:
        peer.send(b"name? ")
        answer = peer.receive().strip()
        peer.send(b"hello " + answer + b"\n")
        if answer == b"echo":
            peer.watch()
        if answer == b"fail":
            raise ValueError("no such name")

    def received(self, peer: RawPeer, data: memoryview) -> None:
        peer.post(bytes(data).upper())


# What comes back.


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
@asking_and_trying
def test_a_half_close_before_anything_was_read_loses_nothing(make_event_loop: type[EventLoop]) -> None:
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as sock:
        data = fill(run, sock)
        run.sink.wait_for("reading_paused")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == data
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
        assert run.sink.named("reading_resumed")


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


def test_data_events_add_up_to_what_was_moved() -> None:
    rng = random.Random(3)
    sizes = [rng.randrange(1, 5000) for _ in range(400)]
    with running(Echo()) as run:
        for number in (1, 2):
            with run.client() as sock:
                for size in sizes:
                    sock.sendall(b"y" * size)
                    receive_exactly(sock, size)
            reason_of(run, number)
        for number in (1, 2):
            for name, counted in (("data_received", "bytes_in"), ("data_sent", "bytes_out")):
                told = [event for event in run.sink.named(name) if event.connection == number]
                ended = next(e for e in run.sink.named("client_disconnected") if e.connection == number)
                assert sum(event.bytes for event in told) == sum(sizes) == getattr(ended, counted)
                assert len(told) < 100, "busy traffic is told in sums"
                assert any(event.seconds is not None for event in told)
            portions = [sum(e.portions for e in run.sink.named(n) if e.connection == number) for n in DATA_EVENTS]
            assert portions[0] == portions[1] >= sum(-(-size // 1024) for size in sizes)


DATA_EVENTS = ("data_received", "data_sent")


def test_calm_traffic_is_told_at_once_and_in_order() -> None:
    with running(Echo()) as run, run.client() as sock:
        for number in range(1, 4):
            sock.sendall(b"z" * 1025)
            receive_exactly(sock, 1025)
            events = run.sink.wait_for("data_sent", number)
            assert (events[-1].bytes, events[-1].portions, events[-1].seconds) == (1025, 2, None)
        names = [event.name for event in run.sink.events]
        assert names == ["client_connected", *(DATA_EVENTS * 3)]


def test_sums_are_told_while_the_connection_goes_on() -> None:
    with running(Echo()) as run, run.client() as sock:
        for _ in range(50):
            sock.sendall(b"abc")
            receive_exactly(sock, 3)
        wait_until(lambda: sum(event.bytes for event in run.sink.named("data_sent")) == 150, timeout_s=5)
        assert run.sink.named("client_disconnected") == []
        assert any((event.seconds or 0) >= Timeouts().sum_s for event in run.sink.named("data_sent"))


def test_very_many_sums_take_turns() -> None:
    limits = dataclasses.replace(MANY, sums_per_second=3)
    with running(Echo(), limits, Timeouts(sum_s=0.1)) as run, contextlib.ExitStack() as clients:
        socks = [clients.enter_context(run.client()) for _ in range(30)]
        for sock in socks:
            sock.sendall(b"abc")
            receive_exactly(sock, 3)
        wait_until(lambda: sum(event.bytes for event in run.sink.named("data_sent")) == 90, timeout_s=10)
        told = Counter(event.connection for event in run.sink.named("data_sent"))
        assert set(told.values()) == {1}


def test_quiet_servers_tell_no_data() -> None:
    with running(Echo(), level=Level.WARNING) as run, run.client() as sock:
        sock.sendall(b"abc")
        receive_exactly(sock, 3)
        sock.sendall(b"abc")
        receive_exactly(sock, 3)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
        run.stop()
        assert run.sink.events == []


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


# Limits.


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


def test_1024_refused_clients_and_then_an_allowed_one() -> None:
    limits = Limits(rules=AccessRules(deny=["127.0.0.1"]), max_clients=1)
    with running(Echo(), limits) as run:
        for _ in range(1024):
            with run.client(source="127.0.0.1") as sock:
                assert receive_all(sock) == b""
        with run.client(source="127.0.0.2") as sock:
            sock.sendall(b"a")
            assert receive_exactly(sock, 1) == b"a"
        run.stop()
        singly, sums = run.sink.named("client_refused"), run.sink.named("clients_refused")
        assert len(singly) + sum(event.count for event in sums) == 1024
        assert {event.reason for event in singly} == {RefusalReason.DENIED}
        assert all(set(event.reasons) == {RefusalReason.DENIED} for event in sums)
        assert len(singly) + len(sums) < 500, "beyond ten a second they become sums"


def test_a_sum_of_refusals_is_told_while_nobody_comes() -> None:
    with running(Echo(), Limits(rules=AccessRules(deny=["127.0.0.1"]), refusals_per_second=0)) as run:
        for _ in range(5):
            with run.client() as sock:
                receive_all(sock)
        wait_until(lambda: sum(event.count for event in run.sink.named("clients_refused")) == 5)


def test_slots_come_back_however_a_connection_ends() -> None:
    with running(Echo(), Limits(max_clients=1), Timeouts(idle_s=0.3)) as run:
        for number, end in enumerate([reset, socket.socket.close, receive_all], start=1):
            with run.client() as sock:
                sock.sendall(b"a")
                receive_exactly(sock, 1)
                end(sock)
            reason_of(run, number)
        assert not run.sink.named("client_refused")


@asking_and_trying
def test_idle_connections_are_closed_and_busy_ones_are_not(make_event_loop: type[EventLoop]) -> None:
    with (
        running(Echo(), timeouts=Timeouts(idle_s=1.5), make_event_loop=make_event_loop) as run,
        run.client() as busy,
        run.client() as idle,
    ):
        idle.sendall(b"a")
        receive_exactly(idle, 1)
        started = time.monotonic()
        while time.monotonic() - started < 3.0:
            busy.sendall(b"b")
            receive_exactly(busy, 1)
            time.sleep(0.05)
        assert receive_all(idle) == b""
        assert reason_of(run, 2) is DisconnectReason.IDLE_TIMEOUT
        seconds = run.sink.named("client_disconnected")[0].seconds
        assert 1.5 <= seconds < 3
        busy.sendall(b"c")
        assert receive_exactly(busy, 1) == b"c"


# Clients that misbehave.


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


def test_a_client_that_never_reads_is_dropped_by_the_idle_rule() -> None:
    with running(Echo(), timeouts=Timeouts(idle_s=2.0)) as run, run.client() as stalled:
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
        running(LastWords(), timeouts=Timeouts(idle_s=1.5), make_event_loop=make_event_loop) as run,
        run.client() as slow,
    ):
        slow.shutdown(socket.SHUT_WR)
        received = 0
        while received < 20_000_000:
            received += len(receive_exactly(slow, 2_000_000))
            time.sleep(0.3)  # slower than the idle rule would allow if reading didn't count
        assert receive_all(slow) == b""
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="TCP_USER_TIMEOUT is Linux's")
def test_the_kernel_ends_what_takes_no_data_for_the_whole_vanish_timeout() -> None:
    options = SocketOptions(keepalive_s=1, vanish_timeout_s=2)
    with running(Echo(), options=options) as run, run.client() as stalled:
        fill(run, stalled)
        assert reason_of(run) is DisconnectReason.CLIENT_VANISHED


def test_many_clients_at_once() -> None:
    with running(Echo(), MANY) as run, contextlib.ExitStack() as clients:
        socks = [clients.enter_context(run.client()) for _ in range(300)]
        for number, sock in enumerate(socks):
            sock.sendall(b"%d" % number)
        for number, sock in enumerate(socks):
            assert receive_exactly(sock, len(str(number))) == b"%d" % number
        run.sink.wait_for("client_connected", 300)
        assert len({event.connection for event in run.sink.named("client_connected")}) == 300


class Reacting(RawService):
    """An echo whose own function is called."""

    name = "echo"
    does = "It sends back what it gets."

    def received(self, peer: RawPeer, data: memoryview) -> None:
        peer.post(data)


class Waiting(Reacting):
    """Holds up its event thread when it is told to, until it may go on."""

    def __init__(self) -> None:
        self.waits = threading.Event()
        self.go_on = threading.Event()

    def received(self, peer: RawPeer, data: memoryview) -> None:
        if bytes(data) == b"wait":
            self.waits.set()
            assert self.go_on.wait(TIMEOUT_S)
        super().received(peer, data)


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


def run_out_of_buffers(connection: Connection) -> None:
    """Let the kernel refuse whatever is sent from now on."""
    sock = Mock(wraps=connection.sock)
    sock.send.side_effect = OSError(errno.ENOBUFS, "no buffers")
    connection.sock = sock


class Breaking(Reacting):
    """Its connections can't be sent to."""

    def received(self, peer: RawPeer, data: memoryview) -> None:
        run_out_of_buffers(peer._connection)
        super().received(peer, data)

    def ended(self, peer: RawPeer) -> None:
        run_out_of_buffers(peer._connection)
        peer.post(b"last words")


@asking_and_trying
def test_a_connection_that_cannot_be_sent_to_is_closed(make_event_loop: type[EventLoop]) -> None:
    with running(Breaking(), make_event_loop=make_event_loop) as run, run.client() as sock:
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


# The system runs dry.


def test_out_of_descriptors_and_recovery() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with running(Echo(), MANY, Timeouts(accept_retry_s=0.05)) as run, run.client() as before:
        before.sendall(b"a")
        receive_exactly(before, 1)
        late = socket.socket()
        late.settimeout(TIMEOUT_S)
        highest = max(int(entry.name) for entry in Path("/dev/fd").iterdir())
        fillers = [os.dup(0) for _ in range(highest)]
        top = max(fillers)
        resource.setrlimit(resource.RLIMIT_NOFILE, (top + 1, hard))
        try:
            late.connect((run.host, run.port))
            paused = run.sink.wait_for("accept_paused")[0]
            assert "Too many open files" in paused.error
            before.sendall(b"b")
            assert receive_exactly(before, 1) == b"b"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in fillers:
                os.close(descriptor)
        late.sendall(b"c")
        assert receive_exactly(late, 1) == b"c"
        run.sink.wait_for("accept_resumed")
        late.close()


class WithoutDescriptors(Server):
    """A server that the system gives no descriptor: each second time, or never."""

    every_time: ClassVar[bool] = True
    calls = 0

    def get_request(self) -> tuple[socket.socket, Any]:
        self.calls += 1
        if self.every_time or self.calls % 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().get_request()


def test_a_stop_does_not_wait_for_descriptors() -> None:
    with running(Echo(), make_server=WithoutDescriptors) as run, run.client():
        run.sink.wait_for("accept_paused")
        started = time.monotonic()
        assert run.stop()
        assert time.monotonic() - started < 2


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


# Conversations.


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


def test_idle_in_a_conversation() -> None:
    with running(Greeter(), timeouts=Timeouts(idle_s=0.3)) as run, run.client() as sock:
        assert receive_all(sock) == b"name? "
        assert reason_of(run) is DisconnectReason.IDLE_TIMEOUT


class Flood(RawService, Conversation[RawPeer]):
    """Sends far more than the kernel's buffers hold."""

    name: ClassVar[str] = "flood"
    does = "It floods."
    size: ClassVar[int] = 20_000_000

    def converse(self, peer: RawPeer) -> None:
        peer.send(b"f" * self.size)
        peer.watch()


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
    with running(LastWordsAtOnce(), make_event_loop=make_event_loop) as run, run.client() as sock:
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


# Stopping.


def test_an_idle_client_costs_no_waiting() -> None:
    with running(Echo()) as run, run.client() as idle:
        idle.sendall(b"a")
        receive_exactly(idle, 1)
        time.sleep(Timeouts().quiet_s + 0.1)  # that it is idle is what is tested
        started = time.monotonic()
        assert run.stop()
        assert time.monotonic() - started < 0.5
        assert receive_all(idle) == b""
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_a_client_that_never_spoke_costs_no_waiting() -> None:
    with running(Echo()) as run, run.client() as idle:
        run.sink.wait_for("client_connected")
        started = time.monotonic()
        assert run.stop()
        assert time.monotonic() - started < 0.5
        assert receive_all(idle) == b""


@asking_and_trying
def test_input_that_has_come_is_answered_before_the_end(make_event_loop: type[EventLoop]) -> None:
    with running(Echo(), make_event_loop=make_event_loop) as run, run.client() as busy:
        data = b"d" * 3_000_000
        received = bytearray()
        reader = threading.Thread(target=lambda: received.extend(receive_all(busy)))
        busy.sendall(data[:100_000])
        reader.start()
        run.sink.wait_for("data_received")
        assert run.stop()
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
        assert 0.4 < time.monotonic() - started < 2
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
        assert run.stop(5.0)
        assert time.monotonic() - started < 4
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
    with running(Echo()) as run, slow_reader(run, 400_000) as sock:
        time.sleep(Timeouts().quiet_s + 0.1)  # quiet, but not done
        stopper = threading.Thread(target=run.stop, args=(10.0,))
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
    timeouts = Timeouts(linger_s=0.6)
    with running(Echo(), timeouts=timeouts) as run, slow_reader(run, 200_000) as sock:
        stopper = threading.Thread(target=run.stop, args=(20.0,))
        stopper.start()
        run.sink.wait_for("server_stopping")
        received = 0
        started = time.monotonic()
        while part := sock.recv(10_000):
            received += len(part)
            sock.sendall(b"x")
            time.sleep(0.05)
        assert received >= 200_000, "and perhaps an answer to what came before the drain began"
        assert time.monotonic() - started > timeouts.linger_s, "it took longer than one linger time"
        sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped


@pytest.mark.skipif(sys.platform != "linux", reason="as above")
def test_a_client_that_does_not_take_what_the_kernel_has_is_cut_off() -> None:
    with running(Echo()) as run, slow_reader(run, 400_000):
        assert run.stop(0.5)
        assert reason_of(run) is DisconnectReason.DRAIN_TIMEOUT


def test_a_drain_longer_than_the_flush_time() -> None:
    with running(Echo(), timeouts=Timeouts(flush_s=0.2)) as run, run.client() as sock:
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
    with running(Farewell()) as run, run.client() as sock:
        receive_exactly(sock, 1)
        stopper = threading.Thread(target=run.stop, args=(10.0,))
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


class WithoutEverySecondDescriptor(WithoutDescriptors):
    every_time = False


def test_pauses_are_told_once_a_second_and_only_where_somebody_waits() -> None:
    with running(Echo(), MANY, Timeouts(accept_retry_s=0.02), make_server=WithoutEverySecondDescriptor) as run:
        started = time.monotonic()
        while time.monotonic() - started < 2.5:
            with run.client() as sock:
                sock.sendall(b"a")
                receive_exactly(sock, 1)
        run.sink.wait_for("accept_resumed")
        told = run.sink.named("accept_paused") + run.sink.named("accept_resumed")
        assert 2 <= len(told) <= time.monotonic() - started + 1


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


def test_a_connection_handed_over_during_the_drain_is_ended() -> None:
    service = Stuck()
    with running(service) as run, run.client() as sock:
        receive_exactly(sock, 1)
        threading.Timer(0.3, service.let_go.set).start()
        assert run.stop(5.0)
        assert receive_all(sock) == b""
        assert reason_of(run) is DisconnectReason.SERVER_STOPPING
