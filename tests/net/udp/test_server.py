import contextlib
import functools
import os
import re
import socket
import sys
import threading

import pytest

from sockctl.events.base import Level
from sockctl.net.access_rules import AccessRules
from sockctl.net.udp.limits import DatagramLimits
from sockctl.net.udp.server import BURST
from sockctl.net.udp.traffic import DatagramTraffic
from sockctl.services.echo import Case, map_datagram
from tests.support.datagrams import datagrams, udp_client
from tests.support.running import TIMEOUT_S, wait_until

LONGEST = 65_507
EVERY_IPV4 = "0.0.0.0"  # noqa: S104
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's loopback has a network of addresses")


def test_borders_are_kept() -> None:
    sent = [b"hello", b"", b"\0" * 3, os.urandom(LONGEST), b"", b"end"]
    with datagrams() as run, udp_client(run.port) as client:
        for each in sent:
            client.send(each)
            assert client.recv(70_000) == each
        run.stop()
        for name in ("datagrams_received", "datagrams_sent"):
            assert [size for event in run.sink.named(name) for size in event.sizes] == [len(each) for each in sent]
        [ended] = run.sink.named("client_forgotten")
        total = sum(map(len, sent))
        assert (ended.datagrams_in, ended.datagrams_out, ended.bytes_in, ended.bytes_out) == (6, 6, total, total)
        assert ended.reason == "server_stopping"
        [stopped] = run.sink.named("server_stopped")
        assert (stopped.clients, stopped.datagrams_in, stopped.bytes_out) == (1, 6, total)


@linux
@pytest.mark.parametrize("host", ["", EVERY_IPV4, "::"])
@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2", "127.77.1.9"])
def test_the_answer_comes_from_the_address_that_was_asked(host: str, asked: str) -> None:
    with datagrams(host=host) as run, udp_client(run.port, asked, connects=False) as client:
        client.sendto(b"who?", (asked, run.port))
        assert client.recvfrom(100) == (b"who?", (asked, run.port))


@pytest.mark.parametrize("host", ["::1", "::", ""])
def test_ipv6(host: str) -> None:
    with datagrams(host=host) as run, udp_client(run.port, "::1") as client:
        client.send(b"six")
        assert client.recv(100) == b"six"
        [heard] = run.sink.wait_for("client_heard")
        assert heard.peer.startswith("[::1]:")


def test_loopback_is_both_addresses_and_one_port() -> None:
    with datagrams() as run:
        assert {one.address for one in run.server.sockets} == {"127.0.0.1", "::1"}
        assert {one.port for one in run.server.sockets} == {run.port}


def test_case() -> None:
    answer = functools.partial(map_datagram, Case.UPPER)
    with datagrams(make_answer=answer) as run, udp_client(run.port) as client:
        for text, mapped in (("grüße", "GRÜSSE"), ("", "")):
            client.send(text.encode())
            assert client.recv(100).decode() == mapped
        client.send("ü".encode()[:1])
        assert client.recv(100) == "ü".encode()[:1], "no datagram waits for the rest of a character"


def test_a_defect_ends_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def make_answer(datagram: memoryview) -> bytes:
        if bytes(datagram) == b"bad":
            raise ValueError("a defect")
        return bytes(datagram)

    with datagrams(make_answer=make_answer) as run, udp_client(run.port) as client:
        for _ in range(100):
            client.send(b"bad")
        client.send(b"good")
        assert client.recv(100) == b"good"
        told = run.sink.wait_for("datagrams_failed", 2)
        assert (told[0].error, told[0].count) == ("ValueError: a defect", 1)
        wait_until(
            lambda: sum(one.count for one in run.sink.named("datagrams_failed")) == 100
        )  # without a further error
        with monkeypatch.context() as patch:
            patch.setattr(DatagramTraffic, "add", None)
            client.send(b"good")
            assert client.recv(100) == b"good"
            assert run.server.list_clients(TIMEOUT_S)[1] is not None, "and that one"
        client.send(b"good")
        assert client.recv(100) == b"good"
        run.stop()
        told = run.sink.named("datagrams_failed")
        assert sum(event.count for event in told) == 101
        assert len(told) < 10, "one a second"
        assert "NoneType" in told[-1].error


def test_the_rate_ends_a_circle_with_another_echo() -> None:
    with datagrams(DatagramLimits(max_rate=20)) as run, udp_client(run.port) as other:
        other.send(b"round and round")  # as a forger begins it
        other.settimeout(0.2)
        rounds = 0
        while rounds < 10_000 and not run.server.count().unanswered:
            with contextlib.suppress(TimeoutError):
                other.send(other.recv(100))
                rounds += 1
        assert 1 < rounds < 10_000
        assert run.server.count().unanswered == {"too_fast": 1}, "it is over"


def test_an_answer_that_fits_into_no_datagram() -> None:
    with datagrams(make_answer=lambda datagram: bytes(datagram) * 3) as run, udp_client(run.port) as client:
        client.send(bytes(30_000))
        [told] = run.sink.wait_for("datagram_unanswered")
        assert told.reason == "too_long"


def low_port(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in range(1023, 600, -1):
        try:
            sock.bind((host, port))
        except PermissionError:
            sock.close()
            pytest.skip("ports below 1024 need more rights")
        except OSError:
            continue
        return sock
    raise AssertionError


def test_services_get_no_answer() -> None:
    """Echo, chargen and DNS would answer in turn: a forged datagram would make both echo without end."""
    with datagrams() as run, low_port() as client, udp_client(run.port) as other:
        client.sendto(b"loop", ("127.0.0.1", run.port))
        [told] = run.sink.wait_for("datagram_unanswered")
        assert (told.reason, told.bytes, told.peer) == ("low_port", 4, f"127.0.0.1:{client.getsockname()[1]}")
        other.send(b"x")
        assert other.recv(10) == b"x"
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(10)
        assert run.server.count().heard == 1


@linux
def test_its_own_port_gets_no_answer() -> None:
    with datagrams(host="127.0.0.1") as run, udp_client(run.port, source=("127.0.0.3", run.port)) as client:
        client.send(b"loop")
        [told] = run.sink.wait_for("datagram_unanswered")
        assert told.reason == "own_port"
        assert run.server.count().unanswered == {"own_port": 1}


@linux
def test_a_broadcast_gets_no_answer() -> None:
    with datagrams(host=EVERY_IPV4) as run, udp_client(run.port, connects=False) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.sendto(b"all", ("127.255.255.255", run.port))
        [told] = run.sink.wait_for("datagram_unanswered")
        assert told.reason == "multicast"


@linux
def test_rules() -> None:
    limits = DatagramLimits(rules=AccessRules(deny=["127.0.0.9"]))
    with datagrams(limits) as run, udp_client(run.port, source=("127.0.0.9", 0)) as denied, udp_client(run.port) as one:
        denied.send(b"x")
        [told] = run.sink.wait_for("datagram_unanswered")
        assert told.reason == "denied"
        one.send(b"y")
        assert one.recv(10) == b"y"


def test_a_rate_for_each_address() -> None:
    """Two sockets of one address share its rate, and what is beyond it is told as a sum."""
    with datagrams(DatagramLimits(max_rate=5)) as run, udp_client(run.port) as one, udp_client(run.port) as other:
        for number in range(40):
            (one if number % 2 else other).send(b"%d" % number)
        wait_until(lambda: sum(run.server.count().unanswered.values()) + run.server.count().datagrams_out == 40)
        counts = run.server.count()
        assert 5 <= counts.datagrams_out <= 39
        assert counts.unanswered == {"too_fast": 40 - counts.datagrams_out}
        run.stop()
        singly = len(run.sink.named("datagram_unanswered"))
        summed = sum(event.count for event in run.sink.named("datagrams_unanswered"))
        assert singly + summed == 40 - counts.datagrams_out
        assert singly <= 11


def test_no_rate_on_loopback() -> None:
    with datagrams(DatagramLimits(network_rate=1)) as run, udp_client(run.port) as client:
        for number in range(50):
            client.send(b"%d" % number)
            assert client.recv(10) == b"%d" % number


def test_a_silent_client_is_forgotten() -> None:
    with datagrams(DatagramLimits(idle_s=0.3)) as run, udp_client(run.port) as client:
        client.send(b"1")
        [ended] = run.sink.wait_for("client_forgotten")
        assert (ended.reason, ended.connection) == ("idle", 1)
        assert ended.seconds >= 0.3
        client.send(b"2")
        assert client.recv(10) == b"1"
        assert client.recv(10) == b"2", "it is answered all the same"
        assert run.sink.wait_for("client_heard", 2)[1].connection == 2


def test_the_table_of_clients_is_bounded() -> None:
    with datagrams(DatagramLimits(max_remembered=3)) as run, udp_client(run.port) as regular:
        for number in range(10):
            for client in (regular, None):
                if client is not None:
                    client.send(b"r")
                    assert client.recv(10) == b"r"
                    continue
                with udp_client(run.port) as passing:
                    passing.send(b"%d" % number)
                    assert passing.recv(10) == b"%d" % number
        assert run.server.count().clients == 3
        assert run.server.count().heard == 11, "who goes on sending is not forgotten"
        assert {event.reason for event in run.sink.wait_for("client_forgotten", 8)} == {"displaced"}
        run.stop()
        [stopped] = run.sink.named("server_stopped")
        assert (stopped.datagrams_in, stopped.datagrams_out) == (20, 20)


def test_forged_addresses_make_no_flood_of_events() -> None:
    limits = DatagramLimits(heard_per_second=3, max_remembered=16)
    with datagrams(limits) as run:
        for _ in range(40):
            with udp_client(run.port) as client:
                client.send(b"x")
                assert client.recv(10) == b"x"
        run.stop()
        told = len(run.sink.named("client_heard"))
        assert told + sum(event.count for event in run.sink.named("clients_heard")) == 40
        assert told == len(run.sink.named("client_forgotten"))


def test_busy_traffic_becomes_sums() -> None:
    with datagrams() as run, udp_client(run.port) as client:
        for _ in range(300):
            client.send(b"abc")
            assert client.recv(10) == b"abc"
        run.stop()
        received = run.sink.named("datagrams_received")
        assert sum(event.datagrams for event in received) == 300
        assert sum(event.bytes for event in received) == 900
        assert len(received) < 100
        assert sum(event.datagrams for event in run.sink.named("datagrams_sent")) == 300


def test_what_waits_at_the_stop_is_answered() -> None:
    count = 3 * BURST
    with datagrams(level=Level.WARNING) as run, udp_client(run.port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for _ in range(count):
            client.send(b"x")
        run.stop()
        assert [client.recv(10) for _ in range(count)] == [b"x"] * count


def test_a_sender_that_goes_on_delays_no_stop() -> None:
    over = threading.Event()

    def send() -> None:
        with udp_client(run.port) as client:
            while not over.is_set():
                try:
                    client.send(b"x" * 100)
                except ConnectionRefusedError:
                    return

    with datagrams(level=Level.WARNING) as run:
        sender = threading.Thread(target=send)
        sender.start()
        try:
            wait_until(lambda: run.server.count().datagrams_in > 100)
            run.stop()
        finally:
            over.set()
            sender.join(TIMEOUT_S)


@linux
def test_what_the_kernel_drops_is_told() -> None:
    """The server is stuck in making an answer, and its receive buffer overflows."""
    go = threading.Event()

    def wait(data: memoryview) -> bytes:
        assert go.wait(TIMEOUT_S)
        return bytes(data)

    with datagrams(DatagramLimits(buffer_bytes=4096), make_answer=wait) as run, udp_client(run.port) as client:
        for _ in range(50):
            client.send(b"x" * 1000)
        go.set()
        [told] = run.sink.wait_for("datagrams_dropped")
        assert 0 < told.count < 50
        assert re.search(r"The kernel dropped \d+ datagrams: the receive buffer of \S+ KiB was full\.", told.text)


def test_a_look_at_the_clients() -> None:
    with datagrams() as run, udp_client(run.port) as client:
        client.send(b"four")
        client.recv(10)
        [one], lag_s = run.server.list_clients(TIMEOUT_S)
        assert (one.number, one.datagrams_in, one.bytes_out) == (1, 1, 4)
        assert lag_s is not None
        run.stop()
        assert run.server.list_clients() == ([], None)
