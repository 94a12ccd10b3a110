"""Tests for `sockctl.events.connection`."""

import pytest

from sockctl.events import connection
from sockctl.events.base import Level
from sockctl.events.connection import (
    ClientConnected,
    ClientDisconnected,
    DataReceived,
    DataSent,
    InputEnded,
    InputThrottled,
    ProtocolBroken,
    ReadingPaused,
    ReadingResumed,
    ServiceFailed,
    SlowReaderDropped,
    TlsEstablished,
    TlsFailed,
)
from sockctl.events.reasons import DisconnectReason
from tests.support.event_words import Reading, check_complete, read

LOCAL = "uid 1000 (ann), pid 42"
READINGS = [
    Reading(
        ClientConnected(connection=3, peer="[::1]:50000", clients=1_000, max_clients=2_000),
        "client_connected",
        Level.INFO,
        "A client connected (1,000 of 2,000).",
        "accept() took it from the backlog and gave it a socket of its own.",
    ),
    Reading(
        DataReceived(connection=3, peer="[::1]:50000", bytes=6, portions=1, portion_bytes=1024, reads=1),
        "data_received",
        Level.INFO,
        "Received 6 bytes in one recv(): 1 portion.",
        "recv() copied them from the kernel's receive buffer.",
    ),
    Reading(
        DataReceived(
            connection=3, peer="[::1]:50000", bytes=2_048, portions=3, portion_bytes=1024, reads=2, seconds=0.25
        ),
        "data_received",
        Level.INFO,
        "Received 2.0 KiB in 2 recv() calls within 250 ms: 3 portions of up to 1,024.",
        "recv() copied them from the kernel's receive buffer.",
    ),
    Reading(
        DataSent(connection=3, peer="[::1]:50000", bytes=2_500, portions=3, portion_bytes=1024, sends=1),
        "data_sent",
        Level.INFO,
        "Sent 2,500 bytes in one send(): 3 portions of up to 1,024.",
        "send() copied them into the kernel's send buffer, and TCP carries them from there.",
    ),
    Reading(
        DataSent(
            connection=3,
            peer="[::1]:50000",
            bytes=12 << 20,
            portions=12_288,
            portion_bytes=1024,
            sends=197,
            seconds=1.0,
        ),
        "data_sent",
        Level.INFO,
        "Sent 12.0 MiB in 197 send() calls within 1.0 s: 12,288 portions of up to 1,024.",
        "send() copied them into the kernel's send buffer, and TCP carries them from there.",
    ),
    Reading(
        DataReceived(
            connection=3, peer="[::1]:50000", bytes=20_000, portions=20, portion_bytes=1024, reads=2, encrypted=True
        ),
        "data_received",
        Level.INFO,
        "Received 20,000 bytes in 2 reads: 20 portions of up to 1,024.",
        "recv() copied them from the kernel's receive buffer, and TLS decrypted them.",
    ),
    Reading(
        DataSent(connection=3, peer="[::1]:50000", bytes=1, portions=1, portion_bytes=1024, sends=1, encrypted=True),
        "data_sent",
        Level.INFO,
        "Sent 1 byte in one write: 1 portion.",
        "TLS encrypted them, send() copied them into the kernel's send buffer, and TCP carries them from there.",
    ),
    Reading(
        DataSent(connection=3, peer=LOCAL, bytes=1, portions=1, portion_bytes=1024, sends=1),
        "data_sent",
        Level.INFO,
        "Sent 1 byte in one send(): 1 portion.",
        "send() copied them into the receive buffer of the client's socket.",
    ),
    Reading(
        InputEnded(connection=3, peer=LOCAL),
        "input_ended",
        Level.DETAIL,
        "The client sends no more.",
        "shutdown() shut its sending side. The client still gets what is on the way to it.",
    ),
    Reading(
        ReadingPaused(connection=3, peer=LOCAL, queued_bytes=65_536),
        "reading_paused",
        Level.DETAIL,
        "The client doesn't read: 64.0 KiB wait in its outbox.",
        "The server reads nothing from it until they are gone, so the kernel slows it down (flow control).",
    ),
    Reading(
        InputEnded(connection=3, peer="[::1]:50000"),
        "input_ended",
        Level.DETAIL,
        "The client sends no more.",
        "Its FIN came. The client still gets what is on the way to it.",
    ),
    Reading(
        ReadingPaused(connection=3, peer="[::1]:50000", queued_bytes=65_536),
        "reading_paused",
        Level.DETAIL,
        "The client doesn't read: 64.0 KiB wait in its outbox.",
        "The server reads nothing from it until they are gone, so TCP slows it down (flow control).",
    ),
    Reading(
        ReadingResumed(connection=3, peer="[::1]:50000"),
        "reading_resumed",
        Level.DETAIL,
        "The client took what waited for it.",
        "The server reads from it again.",
    ),
    Reading(
        TlsEstablished(connection=3, peer="[::1]:50000", version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384"),
        "tls_established",
        Level.INFO,
        "The TLS handshake is done: TLSv1.3 with TLS_AES_256_GCM_SHA384.",
        "From here on everything is encrypted.",
    ),
    Reading(
        TlsFailed(connection=3, peer="[::1]:50000", error="the client speaks no TLS"),
        "tls_failed",
        Level.WARNING,
        "The TLS handshake failed: the client speaks no TLS.",
        "Nothing was exchanged, and the server ends the connection.",
    ),
    Reading(
        ProtocolBroken(connection=3, peer="[::1]:50000", code="bad_utf8", error="A line is not UTF-8."),
        "protocol_broken",
        Level.WARNING,
        "The client broke the protocol (bad_utf8) and is told so: A line is not UTF-8.",
    ),
    Reading(
        InputThrottled(connection=3, peer="[::1]:50000", seconds=0.5),
        "input_throttled",
        Level.INFO,
        "The client, or its address, sends more than its budget of work allows.",
        "The server reads nothing from it for 0.5 s, so TCP slows it down. Others notice nothing.",
    ),
    Reading(
        SlowReaderDropped(connection=3, peer="[::1]:50000", queued_bytes=1 << 20),
        "slow_reader_dropped",
        Level.WARNING,
        "The client doesn't read: 1.0 MiB wait in its outbox, and no more may.",
        "The server drops the client, so that nobody has to wait for it.",
    ),
    Reading(
        ServiceFailed(connection=3, peer="[::1]:50000", error="ValueError"),
        "service_failed",
        Level.ERROR,
        "The service failed on this connection; the others go on. This is a defect of sockctl's: ValueError",
    ),
    Reading(
        ClientDisconnected(
            connection=3, peer="[::1]:50000", reason=DisconnectReason.CLIENT_EXIT, bytes_in=6, bytes_out=1, seconds=2.0
        ),
        "client_disconnected",
        Level.INFO,
        "The connection ended after 2.0 s, 6 bytes received and 1 byte sent (client_exit).",
        "The client said goodbye (a message of the kind bye, or a Close frame), so the server closed the connection.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(connection, READINGS)
