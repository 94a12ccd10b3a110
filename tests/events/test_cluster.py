"""Tests for `sockctl.events.cluster`."""

import pytest

from sockctl.events import cluster
from sockctl.events.base import Level
from sockctl.events.cluster import (
    NodeGone,
    NodeJoined,
    StoreAway,
    StoreBack,
    StoreConnected,
    StoreLag,
    StoreLost,
    StoreUnread,
    StoreUnsafe,
)
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    *(
        Reading(
            StoreConnected(store="redis://localhost:6379", node="alpha.0a1b2c3d", others=others),
            "store_connected",
            Level.INFO,
            "The server is the node alpha.0a1b2c3d of the chat on redis://localhost:6379.",
            f"{there} there. All nodes read one log in the engine, so their members hear the same.",
        )
        for others, there in ((0, "No other node is"), (1, "1 other node is"), (2, "2 other nodes are"))
    ),
    Reading(
        StoreUnsafe(
            setting="appendonly",
            problem="appendonly is no: an engine that is killed loses all that it holds, accounts included.",
            fix="redis-cli -h localhost -p 6379 CONFIG SET appendonly yes",
        ),
        "store_unsafe",
        Level.WARNING,
        "appendonly is no: an engine that is killed loses all that it holds, accounts included.",
        "This mends it: redis-cli -h localhost -p 6379 CONFIG SET appendonly yes",
    ),
    Reading(
        StoreUnsafe(setting="password", problem="No password.", fix="sockctl help cluster", mends=False),
        "store_unsafe",
        Level.WARNING,
        "No password.",
        "This shows more: sockctl help cluster",
    ),
    Reading(
        StoreAway(error="redis://localhost:6379 can't be reached: Connection refused."),
        "store_away",
        Level.ERROR,
        "The engine is away: redis://localhost:6379 can't be reached: Connection refused.",
        "Nobody is put out yet: what members say waits for the engine. After 10 s the chat tells a member what was "
        "not said, and after 30 s it closes its connections.",
    ),
    Reading(
        StoreBack(seconds=3.25, not_said=0),
        "store_back",
        Level.WARNING,
        "The engine is back after 3.2 s: everything was said.",
    ),
    Reading(
        StoreBack(seconds=12, not_said=1),
        "store_back",
        Level.WARNING,
        "The engine is back after 12.0 s: 1 message not said.",
    ),
    Reading(
        StoreLost(after=4, upto=9),
        "store_lost",
        Level.ERROR,
        "The engine has lost what was said after 4, up to 9.",
        "The members who may have missed it are told. With appendfsync always, an engine loses nothing.",
    ),
    Reading(
        StoreLag(seconds=3.3),
        "store_lag",
        Level.WARNING,
        "The server is 3.3 s behind the other nodes.",
        "Its members hear everything later. The machine, or the network to the engine, is too slow.",
    ),
    Reading(
        StoreUnread(error="KeyError: 'm'"),
        "store_unread",
        Level.ERROR,
        "The server could not take what the log says, and passes over it: KeyError: 'm'",
        "Its members may have missed something. It is a defect of sockctl's, or another program writes there.",
    ),
    Reading(NodeJoined(node="beta.0a1b2c3d"), "node_joined", Level.INFO, "The node beta.0a1b2c3d has come."),
    Reading(
        NodeGone(node="beta.0a1b2c3d"),
        "node_gone",
        Level.WARNING,
        "The node beta.0a1b2c3d has gone.",
        "Its members who have not come to another node have left.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(cluster, READINGS)


def test_a_loss_has_the_fields_that_programs_read() -> None:
    assert StoreLost(after=4, upto=9).fields == {"from": 4, "upto": 9}
