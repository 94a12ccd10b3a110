"""Tests for `sockctl.client.ending`."""

import re
from pathlib import Path

import pytest

from sockctl.client.ending import judge_end
from sockctl.client.inputs import LineInput
from sockctl.client.protocol import MessageProtocol
from sockctl.client.receiver import Receiver
from sockctl.client.script import Script
from sockctl.client.script_steps import Expect, Send
from sockctl.client.sender import Sender
from sockctl.client.session_events import SessionEvent
from sockctl.client.settings import ClientSettings
from sockctl.errors import ConnectionBrokenError, NotLetInError, SockctlError
from sockctl.protocol.messages import make_message
from tests.support.session import asking_protocol

BROKEN = ConnectionBrokenError("The connection broke.")


class Ended:
    """A connection to a service that asks, at its end."""

    def __init__(self, state_dir: Path, settings: ClientSettings, script: Script | None = None) -> None:
        events: list[SessionEvent] = []
        self.settings, self.script = settings, script
        self.sender = Sender(settings, LineInput(crlf=False, by_hand=False), events)
        self.receiver = Receiver(settings, script, self.sender, events)
        self.protocol: MessageProtocol | None = asking_protocol(state_dir)

    def judge(self, error: SockctlError | None = None, *, input_ended: bool = False) -> SockctlError | None:
        return judge_end(
            error, self.protocol, self.script, self.receiver, self.sender, self.settings, input_ended=input_ended
        )


def test_raw_bytes_are_not_judged(tmp_path: Path) -> None:
    one = Ended(tmp_path, ClientSettings())
    one.protocol = None
    assert one.judge() is None
    assert one.judge(BROKEN) is BROKEN


@pytest.mark.parametrize("error", [None, BROKEN], ids=["plain", "broken"])
def test_a_pipe_that_was_not_let_in_has_not_got_what_it_wanted(tmp_path: Path, error: SockctlError | None) -> None:
    one = Ended(tmp_path, ClientSettings(messages=True))
    assert isinstance(one.judge(error, input_ended=True), NotLetInError if error is None else type(error))


def test_a_person_that_leaves_wants_no_more(tmp_path: Path) -> None:
    one = Ended(tmp_path, ClientSettings(terminal=True))
    assert one.protocol is not None
    one.protocol.admit(make_message("error", "Not that one.", code="bad_name"))
    assert one.judge(input_ended=True) is None
    assert isinstance(one.judge(input_ended=False), NotLetInError)


def test_a_script_that_expects_last_has_got_it(tmp_path: Path) -> None:
    done = Script([Expect(re.compile("x"))], timeout_s=1.0)
    done.receive(["x"], "")
    done.run_to_line(0.0, can_send=True)
    assert done.ended
    assert Ended(tmp_path, ClientSettings(messages=True), done).judge() is None
    sends = Script([Send("x")], timeout_s=1.0)
    sends.run_to_line(0.0, can_send=True)
    assert isinstance(Ended(tmp_path, ClientSettings(messages=True), sends).judge(), NotLetInError)


def test_a_count_that_is_reached_is_what_was_wanted(tmp_path: Path) -> None:
    one = Ended(tmp_path, ClientSettings(messages=True, count=1))
    assert isinstance(one.judge(), NotLetInError)
    assert one.protocol is not None
    one.receiver.show_message(one.protocol, make_message("notice", "One."), 0.0)
    assert one.judge() is None
    assert one.judge(BROKEN) is not None, "an error stays one"


def test_lines_that_were_not_sent_are_told(tmp_path: Path) -> None:
    one = Ended(tmp_path, ClientSettings(messages=True))
    one.sender.hold(LineInput(crlf=False, by_hand=False), b"a\nb\n")
    error = one.judge()
    assert isinstance(error, NotLetInError)
    assert "2 lines of the input were not sent" in str(error)
