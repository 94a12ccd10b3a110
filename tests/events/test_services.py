"""Tests for `sockctl.events.services`."""

import pytest

from sockctl.events import services
from sockctl.events.base import Level
from sockctl.events.services import (
    ClientIdentified,
    ProgramEnded,
    ProgramStarted,
    ProgramWarned,
    StoreFailed,
)
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        ClientIdentified(connection=3, peer="[::1]:50000", who="ann", known=True),
        "client_identified",
        Level.INFO,
        "The client is ann.",
        "The server knew its IP address.",
    ),
    Reading(
        ClientIdentified(connection=3, peer="[::1]:50000", who="ann", known=False),
        "client_identified",
        Level.INFO,
        "The client is ann.",
        "The server asked for the name, and keeps it with the IP address.",
    ),
    Reading(
        StoreFailed(connection=3, peer="[::1]:50000", error="The disk is full."),
        "store_failed",
        Level.ERROR,
        "The service can't read or write what it keeps: The disk is full.",
    ),
    Reading(
        ProgramStarted(connection=3, peer="[::1]:50000", pid=4242),
        "program_started",
        Level.INFO,
        "Process 4242 answers the client.",
        "The program gets what the client says, a line each.",
    ),
    Reading(
        ProgramWarned(connection=3, peer="[::1]:50000", pid=4242, said="no such file"),
        "program_warned",
        Level.WARNING,
        "Process 4242 wrote to its standard error: no such file",
    ),
    Reading(
        ProgramEnded(connection=3, peer="[::1]:50000", pid=4242, how="exit code 1"),
        "program_ended",
        Level.INFO,
        "Process 4242 has ended: exit code 1.",
    ),
    Reading(
        ProgramEnded(connection=3, peer="[::1]:50000", pid=0, how="No such file or directory"),
        "program_ended",
        Level.INFO,
        "The program didn't start: No such file or directory.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(services, READINGS)
