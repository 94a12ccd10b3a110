"""Tests for `sockctl.events.server`."""

import pytest

from sockctl.events import server
from sockctl.events.base import Level
from sockctl.events.server import (
    BacklogCut,
    DescriptorsLimited,
    Listening,
    LoopbackOnly,
    PortTaken,
    Reachable,
    ServerStarted,
    ServerStopped,
    ServerStopping,
    TlsCertificate,
    TlsCertificateRefused,
    UnixListening,
)
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        ServerStarted(version="1.2.3", pid=4242, does="It echoes."),
        "server_started",
        Level.INFO,
        "sockctl 1.2.3 starts as process 4242. It echoes.",
    ),
    Reading(
        PortTaken(wanted_port=9090, port=9091),
        "port_taken",
        Level.WARNING,
        "Port 9090 is taken by another program, so the server moved to port 9091.",
        "bind() failed with EADDRINUSE. With --strict-port the server fails instead.",
    ),
    Reading(
        Listening(host="127.0.0.1", port=9090, backlog=4_096),
        "listening",
        Level.INFO,
        "Listening on 127.0.0.1:9090.",
        "socket() made the server's socket, bind() gave it this address, and listen() lets clients "
        "connect. Up to 4,096 may wait until accept() takes them; Linux lets one more wait.",
    ),
    Reading(
        Listening(host="::1", port=9090, backlog=128),
        "listening",
        Level.INFO,
        "Listening on [::1]:9090.",
        "socket() made the server's socket, bind() gave it this address, and listen() lets clients "
        "connect. Up to 128 may wait until accept() takes them; Linux lets one more wait.",
    ),
    Reading(
        Listening(host="::1", port=9098, backlog=0, for_browsers=True),
        "listening",
        Level.INFO,
        "Listening for browsers on [::1]:9098.",
        "socket() made the server's socket, bind() gave it this address, and listen() lets clients "
        "connect. Up to 0 may wait until accept() takes them; Linux lets one more wait.",
    ),
    Reading(
        UnixListening(place="unix:/run/s", mode="0600", backlog=4_096),
        "unix_listening",
        Level.INFO,
        "Listening on unix:/run/s.",
        "socket() made a Unix socket, bind() made its file, whose mode 0600 says which users may connect. listen() "
        "lets processes of this machine connect. Up to 4,096 may wait until accept() takes them; Linux lets one more "
        "wait.",
    ),
    Reading(
        UnixListening(place="unix:@s", backlog=1),
        "unix_listening",
        Level.INFO,
        "Listening on unix:@s.",
        "socket() made a Unix socket, bind() gave it this name, which no file has: it is gone with the server. "
        "listen() lets processes of this machine connect. Up to 1 may wait until accept() takes them; Linux lets one "
        "more wait.",
    ),
    Reading(
        Reachable(scope="unix", host="unix:/run/s", port=0, command="sockctl connect unix:/run/s"),
        "reachable",
        Level.INFO,
        "From this machine, by the Unix socket: sockctl connect unix:/run/s",
    ),
    Reading(
        BacklogCut(wanted_backlog=10_000, backlog=4_096),
        "backlog_cut",
        Level.WARNING,
        "The kernel cuts --backlog 10000 to 4096, its net.core.somaxconn.",
        "listen() doesn't tell. Clients beyond that wait for their system's next try. Raise the bound with 'sysctl -w "
        "net.core.somaxconn=10000', and start the server again.",
    ),
    Reading(
        Reachable(scope="machine", host="127.0.0.1", port=1, command="sockctl connect 127.0.0.1 1"),
        "reachable",
        Level.INFO,
        "From this machine: sockctl connect 127.0.0.1 1",
    ),
    Reading(
        Reachable(scope="network", host="192.0.2.2", port=1, command="sockctl connect 192.0.2.2 1"),
        "reachable",
        Level.INFO,
        "From other machines, virtual ones included: sockctl connect 192.0.2.2 1",
    ),
    Reading(
        LoopbackOnly(),
        "loopback_only",
        Level.INFO,
        "Other machines, virtual ones included, can't reach it.",
        "The server listens on the loopback interface only; with --host '' it listens on every interface.",
    ),
    Reading(
        DescriptorsLimited(needed=2_064, limit=1_024, max_clients=1_000),
        "descriptors_limited",
        Level.WARNING,
        "--max-clients 1000 may need 2,064 file descriptors, and the system allows this process 1,024.",
        "Clients beyond that wait or are turned away until others leave. Raise the hard limit (ulimit -Hn) or lower "
        "--max-clients.",
    ),
    Reading(
        TlsCertificate(path="/a/b.crt", fingerprint="AB:CD"),
        "tls_certificate",
        Level.INFO,
        "Connections are encrypted. The certificate has SHA256 AB:CD.",
        "It is in /a/b.crt. Clients that see another one don't talk with this server.",
    ),
    Reading(
        TlsCertificateRefused(error="/a/b.crt holds no certificate."),
        "tls_certificate_refused",
        Level.ERROR,
        "SIGHUP came, and the server keeps the certificate that it has: it can't load the new one. "
        "/a/b.crt holds no certificate.",
    ),
    Reading(
        ServerStopping(clients=0, drain_timeout_s=5.0),
        "server_stopping",
        Level.INFO,
        "The server was asked to stop.",
        "It takes no more clients, and none is connected.",
    ),
    Reading(
        ServerStopping(clients=1_000, drain_timeout_s=0.5),
        "server_stopping",
        Level.INFO,
        "The server was asked to stop.",
        "It takes no more clients, answers what it has received from the 1,000 connected, and closes "
        "them within 0.5 s.",
    ),
    Reading(
        ServerStopping(clients=1, drain_timeout_s=5),
        "server_stopping",
        Level.INFO,
        "The server was asked to stop.",
        "It takes no more clients, answers what it has received from the one connected, and closes it within 5 s.",
    ),
    Reading(
        ServerStopped(clients=1, bytes_in=6, bytes_out=2_048, seconds=90.0),
        "server_stopped",
        Level.INFO,
        "The server stopped after 90.0 s. It served 1 client, received 6 bytes and sent 2.0 KiB.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(server, READINGS)


def test_only_the_first_command_for_this_machine_is_needed() -> None:
    machine = Reachable(scope="machine", host="127.0.0.1", port=1, command="sockctl connect 127.0.0.1 1")
    network = Reachable(scope="network", host="192.0.2.2", port=1, command="sockctl connect 192.0.2.2 1")
    assert machine.shown_once
    assert network.shown_once is None
