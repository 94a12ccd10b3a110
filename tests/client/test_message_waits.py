"""Tests for `sockctl.client.message_waits`."""

from pathlib import Path

import pytest

from sockctl.client.inputs import LineInput
from sockctl.client.message_waits import MessageWaits, Waits
from sockctl.client.protocol import MessageProtocol
from sockctl.client.protocol_factory import make_protocol
from sockctl.client.receiver import Receiver
from sockctl.client.sender import Sender
from sockctl.client.server_identity import ServerIdentity
from sockctl.client.session_events import SessionEvent
from sockctl.client.settings import ClientSettings
from sockctl.client.token_store import TokenStore
from sockctl.errors import ConnectTimeoutError
from sockctl.protocol.messages import make_message
from tests.support.session import SERVER

SETTINGS = ClientSettings(messages=True, timeout_s=10.0, first_line_held_s=0.3)


class Waiting:
    """A connection in a pipe, at the time 100."""

    def __init__(self, tmp_path: Path) -> None:
        events: list[SessionEvent] = []
        self.source = LineInput(crlf=False, by_hand=False)
        self.sender = Sender(SETTINGS, self.source, events)
        self.waits = MessageWaits(SETTINGS, self.sender, Receiver(SETTINGS, None, self.sender, events), 100.3)
        self.protocol: MessageProtocol = make_protocol(
            SETTINGS,
            SERVER,
            ServerIdentity(SERVER),
            open_tokens=lambda: TokenStore(tmp_path),
            remark=lambda *_, **__: None,
            view=None,
            insist=True,
        )

    def settle(self, now: float) -> float | None:
        """Return when it is due the next time."""
        return min([time for time in self.waits.settle(self.protocol, now) if time is not None], default=None)

    def hold(self, data: bytes) -> None:
        self.sender.hold(self.source, data)


def test_the_greeting_has_its_time(tmp_path: Path) -> None:
    one = Waiting(tmp_path)
    assert one.waits.settle(one.protocol, 100.0) == [110.0, None, None, None, 100.3]
    with pytest.raises(ConnectTimeoutError, match="has not greeted within 10 s"):
        one.settle(110.0)


def test_an_unknown_service_is_given_a_moment(tmp_path: Path) -> None:
    one = Waiting(tmp_path)
    one.protocol.wire.feed(b"sockctl/1 novelty\r\n")
    one.hold(b"a\nb\n")
    assert one.settle(100.0) == 100.3
    assert len(one.sender.held) == 2
    assert one.settle(100.3) is None
    assert not one.sender.held


def test_a_turn_has_its_time_and_the_next_one_its_own(tmp_path: Path) -> None:
    one = Waiting(tmp_path)
    one.protocol.wire.feed(b"sockctl/1 auth\r\n")
    one.hold(b"a\nb\n")
    assert one.settle(100.0) == 110.0
    one.protocol.admit(make_message("ask", "Name?", field="name"))
    assert one.settle(109.0) == 119.0
    assert len(one.sender.held) == 1
    with pytest.raises(ConnectTimeoutError, match="neither asked nor welcomed"):
        one.settle(119.0)


def test_a_wait_lasts_from_when_it_is_first_needed() -> None:
    waits = Waits(10.0)
    assert waits.end_of("turn", 100.0, needed=False) is None
    assert waits.end_of("turn", 101.0, needed=True) == 111.0
    assert waits.end_of("turn", 105.0, needed=True) == 111.0
    assert waits.end_of("silence", 105.0, needed=True, seconds=0.3) == 105.3


def test_a_wait_begins_anew_once_it_was_not_needed() -> None:
    waits = Waits(10.0)
    waits.end_of("turn", 100.0, needed=True)
    waits.end_of("turn", 101.0, needed=False)
    assert waits.end_of("turn", 102.0, needed=True) == 112.0
    waits.forget("turn")
    assert waits.end_of("turn", 103.0, needed=True) == 113.0
