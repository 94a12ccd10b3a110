"""Tests for `sockctl.events.acceptance`."""

import pytest

from sockctl.events import acceptance
from sockctl.events.acceptance import (
    AcceptPaused,
    AcceptResumed,
    ClientRefused,
    ClientsRefused,
)
from sockctl.events.base import Level
from sockctl.events.reasons import RefusalReason
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        ClientRefused(peer="[::1]:50000", reason=RefusalReason.DENIED),
        "client_refused",
        Level.WARNING,
        "[::1]:50000 was refused: the --allow and --deny rules don't let its address in.",
        "The server closed its socket at once.",
    ),
    Reading(
        ClientsRefused(
            count=1_200, seconds=1.0, reasons={RefusalReason.DENIED: 1_199, RefusalReason.OUT_OF_THREADS: 1}
        ),
        "clients_refused",
        Level.WARNING,
        "1,200 more clients were refused in 1.0 s: 1,199 times because the --allow and --deny rules "
        "don't let its address in; 1 time because the system gave no further thread to serve it.",
    ),
    Reading(
        ClientsRefused(count=1, seconds=1.0, reasons={RefusalReason.DENIED: 1}),
        "clients_refused",
        Level.WARNING,
        "1 more client was refused in 1.0 s: 1 time because the --allow and --deny rules don't let its address in.",
    ),
    Reading(
        AcceptPaused(error="Too many open files", clients=1_000, retry_s=0.5),
        "accept_paused",
        Level.WARNING,
        "The server can't accept further clients for now: Too many open files.",
        "It goes on serving 1,000 connected clients. New ones wait in the backlog. The server calls "
        "accept() again every 0.5 s.",
    ),
    Reading(
        AcceptResumed(seconds=90.0),
        "accept_resumed",
        Level.INFO,
        "The server accepts clients again after a pause of 90.0 s.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(acceptance, READINGS)
