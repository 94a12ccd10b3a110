"""Data events with real sockets: at once while traffic is calm, as sums while it is busy."""

import contextlib
import dataclasses
import random
import socket
from collections import Counter

import pytest

from sockctl.events.base import Level
from sockctl.net.limits import Limits, Timeouts
from sockctl.services.echo import Echo
from tests.support.raw_services import (
    MANY,
    reason_of,
)
from tests.support.running import (
    receive_all,
    receive_exactly,
    running,
    wait_until,
)


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
            assert sum(e.reads for e in run.sink.named("data_received") if e.connection == number) >= len(sizes)
            portions = [sum(e.portions for e in run.sink.named(n) if e.connection == number) for n in DATA_EVENTS]
            assert portions[0] == portions[1] >= sum(-(-size // 1024) for size in sizes)


DATA_EVENTS = ("data_received", "data_sent")


@pytest.mark.parametrize(("read_bytes", "reads"), [(65_536, 1), (1024, 3), (1000, 3)])
def test_reads_and_portions_are_told_apart(read_bytes: int, reads: int) -> None:
    with running(Echo(), Limits(read_bytes=read_bytes)) as run, run.client() as sock:
        sock.sendall(b"z" * 2_500)
        receive_exactly(sock, 2_500)
        wait_until(lambda: sum(event.bytes for event in run.sink.named("data_sent")) == 2_500)
        received, sent = (run.sink.named(name) for name in DATA_EVENTS)
        assert (sum(event.reads for event in received), sum(event.portions for event in received)) == (reads, 3)
        assert (sum(event.sends for event in sent), sum(event.portions for event in sent)) == (reads, 3)
        assert {event.portion_bytes for event in received + sent} == {1024}
        assert {event.encrypted for event in received + sent} == {None}


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
        wait_until(lambda: sum(event.bytes for event in run.sink.named("data_sent")) == 150)
        assert run.sink.named("client_disconnected") == []
        assert any((event.seconds or 0) >= Timeouts().sum_s for event in run.sink.named("data_sent"))


def test_very_many_sums_take_turns() -> None:
    limits = dataclasses.replace(MANY, sums_per_second=3)
    with running(Echo(), limits, Timeouts(sum_s=0.1)) as run, contextlib.ExitStack() as clients:
        socks = [clients.enter_context(run.client()) for _ in range(30)]
        for sock in socks:
            sock.sendall(b"abc")
            receive_exactly(sock, 3)
        wait_until(lambda: sum(event.bytes for event in run.sink.named("data_sent")) == 90)
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
