"""Tests for `sockctl.events.services`."""

import pytest

from sockctl.events import services
from sockctl.events.base import Level
from sockctl.events.services import (
    ClientIdentified,
    ProgramEnded,
    ProgramsBusy,
    ProgramStarted,
    ProgramWarned,
    ProgramWarningsSummed,
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
        ProgramStarted(connection=3, peer="[::1]:50000", pid=4242, wire="bytes"),
        "program_started",
        Level.INFO,
        "Process 4242 answers the client.",
        "The client's bytes are its standard input, and its standard output goes to the client, by two pipes.",
    ),
    Reading(
        ProgramWarningsSummed(connection=3, peer="[::1]:50000", pid=4242, lines=1200, seconds=1.0),
        "program_warnings_summed",
        Level.WARNING,
        "Process 4242 wrote 1,200 more lines to its standard error within 1.0 s.",
        "They were too many to be written one by one.",
    ),
    Reading(
        ProgramsBusy(connection=3, peer="[::1]:50000", max_programs=32),
        "programs_busy",
        Level.WARNING,
        "No program answers the client: all 32 that may run at once do (--max-programs).",
        "The client is told so, and the server ends the connection.",
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
        ProgramEnded(
            connection=3, peer="[::1]:50000", pid=4242, how="exit code 0", bytes_in=12, bytes_out=2048, seconds=1.5
        ),
        "program_ended",
        Level.INFO,
        "Process 4242 has ended: exit code 0, after 1.5 s; it read 12 bytes and wrote 2.0 KiB.",
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
