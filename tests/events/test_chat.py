"""Tests for `sockctl.events.chat`."""

import pytest

from sockctl.events import chat
from sockctl.events.base import Level
from sockctl.events.chat import (
    ChatKeptAgain,
    ChatUnkept,
    MemberCame,
    MemberLeft,
    MemberRenamed,
    OperatorActed,
)
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        ChatUnkept(error="No space left on device.", messages=0),
        "chat_unkept",
        Level.ERROR,
        "The chat can't write its files: No space left on device.",
        "The chat goes on.",
    ),
    Reading(
        ChatUnkept(error="No space left on device.", messages=1),
        "chat_unkept",
        Level.ERROR,
        "The chat can't write its files: No space left on device.",
        "1 message is not on the disk. The chat goes on.",
    ),
    Reading(
        ChatKeptAgain(lost=0),
        "chat_kept_again",
        Level.WARNING,
        "The chat can write its files again: nothing was lost.",
    ),
    Reading(
        ChatKeptAgain(lost=2_000),
        "chat_kept_again",
        Level.WARNING,
        "The chat can write its files again: 2,000 messages of the history are lost.",
    ),
    Reading(
        MemberCame(connection=3, peer="[::1]:50000", who="ann"),
        "member_came",
        Level.INFO,
        "The client chats as ann.",
    ),
    Reading(
        MemberLeft(connection=3, peer="[::1]:50000", who="ann", reason="client_closed"),
        "member_left",
        Level.INFO,
        "The client chats as ann no more (client_closed).",
    ),
    Reading(
        MemberRenamed(who="ann", name_now="anna"),
        "member_renamed",
        Level.INFO,
        "ann is called anna now.",
    ),
    Reading(
        OperatorActed(operator="ann", did="ann has kicked bob from #lobby."),
        "operator_acted",
        Level.INFO,
        "ann has kicked bob from #lobby.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(chat, READINGS)
