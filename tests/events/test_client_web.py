"""Tests for `sockctl.events.client_web`."""

import pytest

from sockctl.events import client_web
from sockctl.events.base import Level
from sockctl.events.client_web import (
    CloseReceived,
    CloseSent,
    PingReceived,
    PingSent,
    PongReceived,
    WebSocketAgreed,
)
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        WebSocketAgreed(),
        "web_socket_agreed",
        Level.INFO,
        "The server opened a WebSocket.",
        "It answered the HTTP request with status 101. From here on both sides send frames instead of HTTP.",
    ),
    Reading(
        WebSocketAgreed(subprotocol="chat.v1"),
        "web_socket_agreed",
        Level.INFO,
        "The server opened a WebSocket of the subprotocol chat.v1.",
        "It answered the HTTP request with status 101. From here on both sides send frames instead of HTTP.",
    ),
    Reading(
        PingReceived(bytes=1),
        "ping_received",
        Level.DETAIL,
        "The server sent a Ping with 1 byte; the client answers it.",
    ),
    Reading(PongReceived(bytes=3), "pong_received", Level.DETAIL, "The server sent a Pong with 3 bytes."),
    Reading(
        PingSent(),
        "ping_sent",
        Level.DETAIL,
        "The input ended; the client sent a Ping.",
        "A Close frame would cut off the answers of many servers. The Pong says that all messages have arrived.",
    ),
    Reading(
        CloseSent(code=1000),
        "close_sent",
        Level.INFO,
        "The client sent a Close frame: 1000.",
        "WebSocket has no half-close. A server may still send what is on its way, then its own Close frame.",
    ),
    Reading(
        CloseReceived(code=1001, reason="bye"),
        "close_received",
        Level.INFO,
        "The server sent a Close frame: 1001: bye.",
    ),
    Reading(CloseReceived(code=1005, reason=""), "close_received", Level.INFO, "The server sent a Close frame: 1005."),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(client_web, READINGS)
