"""Tests for `sockctl.client.receiver`."""

import re
from pathlib import Path
from typing import Any

import pytest

from sockctl.client.inputs import PipeInput
from sockctl.client.receiver import Receiver
from sockctl.client.script import Script
from sockctl.client.script_steps import Expect, Send
from sockctl.client.sender import Sender
from sockctl.client.session_events import (
    BytesToSend,
    BytesToShow,
    MessageToLog,
    MessageToShow,
    QuestionAsked,
    SessionEvent,
)
from sockctl.client.settings import ClientSettings
from sockctl.errors import ExpectationError
from sockctl.protocol.messages import make_message
from tests.support.session import asking_protocol


class Receiving:
    """A receiver and its events."""

    def __init__(self, script: Script | None = None, **settings: Any) -> None:
        self.events: list[SessionEvent] = []
        made = ClientSettings(**settings)
        self.receiver = Receiver(made, script, Sender(made, PipeInput(crlf=False), self.events), self.events)

    @property
    def raw(self) -> list[bytes]:
        return [event.data for event in self.events if isinstance(event, BytesToShow)]


def test_raw_bytes_are_shown_as_they_come() -> None:
    one = Receiving()
    one.receiver.show_raw(b"a\nb", 0.0)
    one.receiver.show_raw(b"", 0.0)
    assert one.raw == [b"a\nb", b""]
    assert not one.receiver.has_enough


def test_bytes_behind_the_last_line_of_a_count_are_not_shown() -> None:
    one = Receiving(count=2)
    one.receiver.show_raw(b"a\nb", 0.0)
    assert not one.receiver.has_enough
    one.receiver.show_raw(b"b\nc\n", 0.0)
    assert one.receiver.has_enough
    assert b"".join(one.raw) == b"a\nbb\n"
    one.receiver.finish(None, 0.0, by_server=True)


def test_a_count_that_is_not_reached_is_an_error() -> None:
    one = Receiving(count=3)
    one.receiver.show_raw(b"a\n", 0.0)
    with pytest.raises(ExpectationError, match="2 short of the 3 messages"):
        one.receiver.finish(None, 0.0, by_server=False)


def test_what_is_expected_lets_the_script_go_on() -> None:
    script = Script([Expect(re.compile("^ready$")), Send("go")], timeout_s=9.0)
    script.run_to_line(0.0, can_send=True)
    one = Receiving(script)
    one.receiver.show_raw(b"not ready\n", 0.0)
    assert not script.ended
    one.receiver.show_raw(b"ready\n", 0.0)
    assert script.ended
    assert [event.data for event in one.events if isinstance(event, BytesToSend)] == [b"go\n"]


def test_the_end_of_a_server_fails_what_is_still_expected() -> None:
    one = Receiving(Script([Expect(re.compile("x"))], timeout_s=9.0))
    with pytest.raises(ExpectationError, match="before the server ended the connection"):
        one.receiver.finish(None, 0.0, by_server=True)


def test_a_question_is_announced_before_it_is_shown(tmp_path: Path) -> None:
    one = Receiving(messages=True)
    ask = make_message("ask", "Your name?", field="name")
    one.receiver.show_message(asking_protocol(tmp_path), ask, 0.0)
    kinds = [type(event) for event in one.events]
    assert kinds.index(QuestionAsked) < kinds.index(MessageToShow)


def test_tokens_are_never_shown(tmp_path: Path) -> None:
    one = Receiving(messages=True)
    token = make_message("token", "Known.", token="tok", expires="2099-01-31T12:00:00Z")
    one.receiver.show_message(asking_protocol(tmp_path), token, 0.0)
    assert not [event for event in one.events if isinstance(event, MessageToShow)]


def test_a_log_gets_messages_behind_the_count_too(tmp_path: Path) -> None:
    one, protocol = Receiving(messages=True, count=1, log=tmp_path), asking_protocol(tmp_path)
    for text in ("one", "two"):
        one.receiver.show_message(protocol, make_message("notice", text), 0.0)
    assert [event.message.text for event in one.events if isinstance(event, MessageToLog)] == ["one", "two"]
    assert [event.message.text for event in one.events if isinstance(event, MessageToShow)] == ["one"]
