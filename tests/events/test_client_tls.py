"""Tests for `sockctl.events.client_tls`."""

import pytest

from sockctl.events import client_tls
from sockctl.events.base import Level
from sockctl.events.client_tls import (
    HostTrusted,
    TlsCut,
    TlsEstablished,
)
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        TlsEstablished(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", fingerprint="AB:CD"),
        "tls_established",
        Level.INFO,
        "The TLS handshake is done: TLSv1.3 with TLS_AES_256_GCM_SHA384.",
        "The client trusts the certificate of the server. From here on everything is encrypted.",
    ),
    Reading(
        HostTrusted(host="a:1", fingerprint="AB:CD", asked=False),
        "host_trusted",
        Level.INFO,
        "a:1 was unknown, and is trusted from now on. Its certificate has SHA256 AB:CD.",
    ),
    Reading(
        HostTrusted(host="a:1", fingerprint="AB:CD", asked=True),
        "host_trusted",
        Level.INFO,
        "a:1 was unknown, and is trusted from now on.",
    ),
    Reading(
        TlsCut(),
        "tls_cut",
        Level.WARNING,
        "The connection ended without the goodbye of TLS (close_notify).",
        "Somebody may have cut it, and something may be missing.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(client_tls, READINGS)
