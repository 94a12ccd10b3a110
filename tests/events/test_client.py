"""Tests for `sockctl.events.client`."""

import pytest

from sockctl.events import client
from sockctl.events.base import Level
from sockctl.events.client import (
    AddressFailed,
    Connected,
    Connecting,
    DataReceived,
    DataSent,
    Disconnected,
    Greeted,
    InputEnded,
    Retrying,
)
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        Connecting(peer="[::1]:9090"),
        "connecting",
        Level.DETAIL,
        "Trying [::1]:9090.",
        "socket() made a socket, and connect() asks the other side for a connection (SYN).",
    ),
    Reading(
        AddressFailed(peer="[::1]:9090", error="Connection refused"),
        "address_failed",
        Level.DETAIL,
        "[::1]:9090 gave no connection: Connection refused.",
    ),
    Reading(
        Retrying(error="No address of host answers.", seconds=0.5, left=3),
        "retrying",
        Level.WARNING,
        "No address of host answers. Trying again in 0.5 s (3 left).",
    ),
    Reading(
        Connected(peer="[::1]:9090", local="[::1]:50000"),
        "connected",
        Level.INFO,
        "Connected to [::1]:9090.",
        "The three-way handshake is done, and the system gave this side the address [::1]:50000.",
    ),
    Reading(
        Greeted(service="chat"),
        "greeted",
        Level.INFO,
        "The server greeted as the message service chat.",
        "From here on both sides speak in frames: a 4-byte length and a JSON message.",
    ),
    Reading(
        DataSent(bytes=6, sends=1),
        "data_sent",
        Level.INFO,
        "Sent 6 bytes in one send().",
        "send() copied them into the kernel's send buffer.",
    ),
    Reading(
        DataSent(bytes=12 << 20, sends=192, seconds=1.0),
        "data_sent",
        Level.INFO,
        "Sent 12.0 MiB in 192 send() calls within 1.0 s.",
        "send() copied them into the kernel's send buffer.",
    ),
    Reading(
        DataReceived(bytes=1, reads=1, since_last_s=0.00025),
        "data_received",
        Level.INFO,
        "Received 1 byte in one recv(), 250 µs after the last call.",
        "recv() copied them from the kernel's receive buffer.",
    ),
    Reading(
        DataReceived(bytes=2_048, reads=2, seconds=1.5),
        "data_received",
        Level.INFO,
        "Received 2.0 KiB in 2 recv() calls within 1.5 s.",
        "recv() copied them from the kernel's receive buffer.",
    ),
    Reading(
        DataReceived(bytes=2_048, reads=1, since_last_s=0.002, messages=2, encrypted=True),
        "data_received",
        Level.INFO,
        "Received 2,048 bytes in one read, 2 ms after the last call: 2 whole messages.",
        "recv() copied them from the kernel's receive buffer, and TLS decrypted them.",
    ),
    Reading(
        DataReceived(bytes=3, reads=1, messages=0),
        "data_received",
        Level.INFO,
        "Received 3 bytes in one recv(): no whole message.",
        "recv() copied them from the kernel's receive buffer.",
    ),
    Reading(
        DataSent(bytes=2_048, sends=1, since_last_s=2.0, encrypted=True),
        "data_sent",
        Level.INFO,
        "Sent 2,048 bytes in one write, 2.0 s after the last call.",
        "TLS encrypted them, send() copied them into the kernel's send buffer.",
    ),
    Reading(
        InputEnded(),
        "input_ended",
        Level.INFO,
        "The input ended.",
        "shutdown(SHUT_WR) told the server (FIN) that nothing more comes. The client still reads its answers.",
    ),
    Reading(
        Disconnected(reason="server_closed", bytes_in=6, bytes_out=1, seconds=2.0),
        "disconnected",
        Level.INFO,
        "The server ended the connection after 2.0 s: 1 byte sent and 6 bytes received.",
        "recv() returned no bytes: the FIN of the server came.",
    ),
    Reading(
        Disconnected(reason="client_exit", bytes_in=0, bytes_out=0, seconds=0.25),
        "disconnected",
        Level.INFO,
        "You ended the connection after 250 ms: 0 bytes sent and 0 bytes received.",
        "close() told the server.",
    ),
    Reading(
        Disconnected(reason="reset", bytes_in=0, bytes_out=2_048, seconds=2.0),
        "disconnected",
        Level.INFO,
        "The server broke the connection off (RST) after 2.0 s: 2.0 KiB sent and 0 bytes received.",
        "What was on the way is lost.",
    ),
    Reading(
        Disconnected(reason="interrupted", bytes_in=0, bytes_out=0, seconds=2.0),
        "disconnected",
        Level.INFO,
        "Interrupted, the client closed the connection after 2.0 s: 0 bytes sent and 0 bytes received.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(client, READINGS)
