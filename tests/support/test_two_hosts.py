"""Two hosts and the cable between them: how it is made, how others reach the server, and how they vanish."""

import os
import re
import select
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.listener import SocketOptions
from sockctl.services.echo import Echo
from tests.support.running import TIMEOUT_S, process, receive_exactly, running, sockctl
from tests.support.two_hosts import CLIENT, FAR, MTU, SERVER, Line, TwoHosts, UnavailableError, on_the_server, two_hosts

TCP_AND_IP_HEADERS = 20 + 12 + 20  # with the time stamps (RFC 7323)

HOLD_TWO_HOSTS = """
import sys
from tests.support.two_hosts import FAR, two_hosts
with two_hosts(FAR, netem=False):
    print(flush=True)
    sys.stdin.read()
"""


def retransmitted() -> int:
    """Return how many segments the calling thread's host has sent again."""
    names, values = (
        line.split() for line in Path("/proc/thread-self/net/snmp").read_text().splitlines() if line.startswith("Tcp:")
    )
    return int(values[names.index("RetransSegs")])


# The hosts themselves.


@pytest.mark.usefixtures("near")
def test_packets_have_an_ethernets_size_and_clients_small_buffers() -> None:
    with running(Echo()) as run, run.client() as sock:
        assert run.host == SERVER
        assert sock.getsockname()[0] == CLIENT
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == MTU - TCP_AND_IP_HEADERS
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 16_384


@pytest.mark.usefixtures("far")
def test_a_far_host_answers_late_and_packets_get_lost() -> None:
    with running(Echo()) as run:
        started = time.monotonic()
        with run.client() as sock:
            assert time.monotonic() - started >= FAR.round_trip_ms / 1000
            for _ in range(20):  # some 1,500 packets of a seeded chance, or of the kernel's: one is lost
                sock.sendall(b"x" * 50_000)
                receive_exactly(sock, 50_000)
            assert retransmitted() + on_the_server(retransmitted) > 0


@pytest.mark.usefixtures("near")
def test_the_kernel_delays_and_loses_where_it_can_and_else_a_process_of_ours() -> None:
    try:
        with two_hosts(FAR, netem=True) as hosts:
            can = hosts.way
    except UnavailableError:
        can = "relay"
    with two_hosts(FAR) as hosts:
        assert hosts.way == can
    with two_hosts(FAR, netem=False) as hosts:
        assert hosts.way == "relay"


def traces() -> tuple[int, Path, list[str]]:
    """Return how many descriptors there are, on which host the calling thread is, and that host's devices."""
    names = [name for _, name in socket.if_nameindex()]
    return len([*Path("/dev/fd").iterdir()]), Path("/proc/thread-self/ns/net").readlink(), names


@pytest.mark.usefixtures("near")
@pytest.mark.parametrize("line", [Line(), FAR])
def test_nothing_is_left_of_hosts_of_a_test_that_fails(line: Line) -> None:
    def fail() -> NoReturn:
        with two_hosts(line, netem=False):
            assert traces() != before
            raise KeyboardInterrupt

    before = traces()
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert traces() == before


@pytest.mark.usefixtures("near")
def test_nothing_is_left_of_hosts_of_a_killed_process() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_TWO_HOSTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        (relay,) = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        end = os.pidfd_open(int(relay))
        holder.kill()
        assert select.select([end], [], [], TIMEOUT_S)[0], "the process that carries the packets has ended"
        os.close(end)


# Who reaches the server.


@pytest.mark.usefixtures("near")
def test_the_command_that_the_server_tells_works_from_the_other_host() -> None:
    with process("serve", "echo", "--host", "", "--log-format", "json") as run:
        run.event("listening")
        reaches = [run.event("reachable") for _ in range(3)]
        network = [event["command"] for event in reaches if event["scope"] == "network" and event["host"] == SERVER]
        assert network == [f"sockctl connect {SERVER} 9090"]
        done = sockctl(*shlex.split(network[0])[1:], stdin=b"from afar")
        assert (done.returncode, done.stdout) == (0, b"from afar")
        assert re.match(CLIENT, run.event("client_connected")["peer"])
        assert run.end() == 0


@pytest.mark.usefixtures("near")
def test_a_server_on_loopback_cannot_be_reached_from_the_other_host() -> None:
    with process("serve", "echo", "--log-format", "json") as run:
        run.event("loopback_only")
        assert sockctl("connect", SERVER, "9090").returncode == 3


# Who vanishes.


def test_a_client_that_vanishes_without_a_word(near: TwoHosts) -> None:
    with running(Echo(), options=SocketOptions(keepalive_s=1, vanish_timeout_s=3)) as run, run.client() as sock:
        sock.sendall(b"hello")
        assert receive_exactly(sock, 5) == b"hello"
        near.cut()  # neither FIN nor RST can come any more
        (ended,) = run.sink.wait_for("client_disconnected")
        assert ended.reason is DisconnectReason.CLIENT_VANISHED
        assert ended.seconds > 2


def test_a_cable_that_is_mended_in_time_is_nobodys_end(near: TwoHosts) -> None:
    with running(Echo()) as run, run.client() as sock:
        near.cut()
        sock.sendall(b"hello")
        near.mend()
        assert receive_exactly(sock, 5) == b"hello"
        assert not run.sink.named("client_disconnected")
