"""Looks at a server that runs: its connections, and the lag of its event threads."""

import socket
import sys
import threading
import time
from typing import ClassVar

import pytest

from sockctl.net.connection import State
from sockctl.net.connection_table import ConnectionTable
from sockctl.net.inspection import ConnectionLister, Inspection, describe, describe_all
from sockctl.net.limits import Limits
from sockctl.net.poller import open_poller
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import RawService
from sockctl.services.echo import Echo
from tests.support.connections import connected
from tests.support.message_services import Doorman, Parrot
from tests.support.raw_services import fill
from tests.support.running import TIMEOUT_S, receive_exactly, running, wait_until


class Sleeper(RawService):
    """Keeps its event thread until it is woken."""

    name: ClassVar[str] = "sleeper"
    does = "It sleeps."

    def __init__(self) -> None:
        self.asleep, self.wake = threading.Event(), threading.Event()

    def received(self, peer: RawPeer, data: memoryview) -> None:
        self.asleep.set()
        self.wake.wait(20)
        peer.post(bytes(data))


def test_a_connection_with_its_figures() -> None:
    with running(Echo()) as run, run.client() as sock:
        sock.sendall(b"hello")
        receive_exactly(sock, 5)
        (connection,) = ConnectionLister(run.server.inspect).list_all()
        fields = describe(connection, time.monotonic() + 5)
    assert fields is not None
    assert fields["peer"].startswith(f"{run.host}:")
    assert (fields["number"], fields["wire"], fields["state"]) == (1, "raw", "watched")
    assert (fields["bytes_in"], fields["bytes_out"], fields["recv_q"], fields["outbox"]) == (5, 5, 0, 0)
    assert fields["age_s"] >= 5
    assert fields["idle_s"] >= 5
    assert (fields["name"], fields["room"], fields["tls"]) == ("", "", "")
    assert (fields["paused"], fields["held"], fields["muted"]) == (False, False, False)
    if sys.platform == "linux":
        assert fields["tcp"] == "ESTABLISHED"
        assert fields["rtt_ms"] > 0
        assert fields["retransmits"] == 0


def test_a_client_that_reads_nothing_is_paused() -> None:
    with running(Echo()) as run, run.client() as sock:
        fill(run, sock)
        lister = ConnectionLister(run.server.inspect)

        def is_shown() -> bool:
            (fields,) = describe_all(lister.list_all())
            return bool(fields["paused"] and fields["outbox"] and fields["send_q"])

        wait_until(is_shown)


def test_wires_and_conversations() -> None:
    with running(Doorman()) as run, run.client() as lines, run.client() as frames:
        lines.sendall(b"x")
        frames.sendall(b"\0")
        lister = ConnectionLister(run.server.inspect)
        wait_until(lambda: [each["wire"] for each in describe_all(lister.list_all())] == ["lines", "frames"])
        assert {each["state"] for each in describe_all(lister.list_all())} == {"conversing"}
    with running(Parrot()) as run, run.client() as undecided:
        undecided.recv(100)
        (fields,) = describe_all(ConnectionLister(run.server.inspect).list_all())
        assert fields["wire"] == ""


def test_a_closed_connection_is_left_out() -> None:
    with connected() as (connection, _):
        connection.end_sending(State.CLOSED)
        assert describe(connection, time.monotonic()) is None


@pytest.mark.parametrize("event_threads", [1, 3])
def test_all_connections_in_the_order_of_their_numbers(event_threads: int) -> None:
    with running(Echo(), Limits(event_threads=event_threads)) as run:
        socks = [run.client() for _ in range(20)]
        run.sink.wait_for("client_connected", 20)
        lister = ConnectionLister(run.server.inspect, patience_s=TIMEOUT_S)
        wait_until(lambda: [each["number"] for each in describe_all(lister.list_all())] == list(range(1, 21)))
        assert not lister.is_stuck
        assert 0 <= lister.lag_s < TIMEOUT_S
        for sock in socks:
            sock.close()
        wait_until(lambda: not lister.list_all())


def test_an_event_thread_that_is_stuck() -> None:
    service = Sleeper()
    with running(service) as run, run.client() as sock:
        lister = ConnectionLister(run.server.inspect, patience_s=0.1)
        wait_until(lambda: len(lister.list_all()) == 1)
        sock.sendall(b"x")
        assert service.asleep.wait(20)
        assert [one.number for one in lister.list_all()] == [1], "as its table says"
        assert lister.is_stuck
        assert lister.lag_s >= 0.1
        service.wake.set()
        wait_until(lambda: len(lister.list_all()) == 1 and not lister.is_stuck)


def test_after_the_end_there_are_none() -> None:
    with running(Echo()) as run, socket.create_connection((run.host, run.port)):
        run.sink.wait_for("client_connected")
        run.stop()
        lister = ConnectionLister(run.server.inspect)
        assert lister.list_all() == []
        assert not lister.is_stuck


def test_nobody_answers() -> None:
    assert Inspection(ConnectionTable(open_poller())).wait(time.monotonic()) is None
