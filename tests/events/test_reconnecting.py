"""Tests for `sockctl.events.reconnecting`."""

import pytest

from sockctl.events import reconnecting
from sockctl.events.base import Level
from sockctl.events.reconnecting import (
    ConnectionLost,
    Reconnecting,
    TargetChanged,
    TargetFailed,
)
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        ConnectionLost(error="Connection reset by peer", seconds=1.5),
        "connection_lost",
        Level.WARNING,
        "The connection was lost (Connection reset by peer): trying again in 1.5 s.",
        "Ctrl-D ends the client.",
    ),
    Reading(
        ConnectionLost(error="the server is stopping", seconds=0.1, server="a.example:9090", next="b.example:9090"),
        "connection_lost",
        Level.WARNING,
        "The connection to a.example:9090 was lost (the server is stopping): trying b.example:9090 in 0.1 s.",
        "Ctrl-D ends the client.",
    ),
    Reading(
        ConnectionLost(error="the server is stopping", seconds=0.049, server="a.example:9090", next="b.example:9090"),
        "connection_lost",
        Level.WARNING,
        "The connection to a.example:9090 was lost (the server is stopping): trying b.example:9090 at once.",
        "Ctrl-D ends the client.",
    ),
    Reading(
        TargetFailed(server="a.example:9090", error="a.example:9090 did not answer.", next="b.example:9090"),
        "target_failed",
        Level.WARNING,
        "a.example:9090 did not answer. Trying b.example:9090.",
    ),
    Reading(
        TargetChanged(server="b.example:9090", before="a.example:9090"),
        "target_changed",
        Level.WARNING,
        "The client is at b.example:9090 now; before, it was at a.example:9090.",
    ),
    Reading(
        Reconnecting(error="No address of host answers.", longest_s=30.0),
        "reconnecting",
        Level.WARNING,
        "No address of host answers.",
        "The client tries again, with pauses of up to 30 s, until Ctrl-D.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(reconnecting, READINGS)
