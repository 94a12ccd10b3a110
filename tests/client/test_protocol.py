"""Tests for `sockctl.client.protocol`; whole sessions stand in `test_session`."""

import json
from pathlib import Path

import pytest

from sockctl.client.entry import Entry
from sockctl.errors import TurnedAwayError, UnsendableError
from sockctl.protocol.messages import make_message
from tests.support.session import asking_protocol, frames_in

ASK = make_message("ask", "Your name?", field="name")


def test_a_line_answers_an_open_question_once(tmp_path: Path) -> None:
    protocol = asking_protocol(tmp_path)
    assert not protocol.can_send
    protocol.admit(ASK)
    assert protocol.can_send
    (answer,) = map(json.loads, frames_in(protocol.encode_line("ann")))
    assert (answer["kind"], answer["text"], answer["field"]) == ("answer", "ann", "name")
    assert protocol.question is None
    assert not protocol.can_send
    protocol.admit(make_message("welcome", "Hello!"))
    (line,) = map(json.loads, frames_in(protocol.encode_line("ann")))
    assert (line["kind"], line["text"]) == ("line", "ann")


def test_a_block_answers_no_question_and_is_lines_outside_of_a_chat(tmp_path: Path) -> None:
    protocol = asking_protocol(tmp_path)
    protocol.admit(ASK)
    with pytest.raises(UnsendableError, match="has one line"):
        protocol.encode_entry(Entry("a\nb"))
    assert protocol.question is not None
    protocol.admit(make_message("welcome", "Hello!"))
    sent = [json.loads(body)["text"] for body in frames_in(protocol.encode_entry(Entry("a\nb")))]
    assert sent == ["a", "b"]


@pytest.mark.parametrize(("reason", "is_over"), [("kicked", True), ("", True), ("ping_timeout", False)])
def test_a_goodbye_is_for_good_unless_the_server_only_gave_up(tmp_path: Path, reason: str, is_over: bool) -> None:
    protocol = asking_protocol(tmp_path)
    protocol.admit(make_message("bye", "Goodbye!", reason=reason))
    assert (protocol.is_over, bool(protocol.farewell)) == (is_over, not is_over)


def test_a_server_that_only_says_why_it_has_no_place(tmp_path: Path) -> None:
    protocol = asking_protocol(tmp_path)
    protocol.refuse_end()
    protocol.wire.feed(b"The room\x1b[2J is full.\r\n")
    with pytest.raises(TurnedAwayError, match="has not let you in: The room") as caught:
        protocol.refuse_end()
    assert str(caught.value).isprintable()
