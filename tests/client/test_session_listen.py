"""The session of a listener: with a client at the other end."""

import re
from typing import Any

import pytest

from sockctl.client.script_steps import Expect, Send, Step, WaitForEnd
from sockctl.client.session import ClientSession
from sockctl.client.session_events import BytesToSend, BytesToShow, EventToEmit, SessionEnded, SessionEvent, Signal
from sockctl.client.settings import QUIT_AFTER_S, ClientSettings
from sockctl.client.targets import Targets
from sockctl.client.token_store import TokenStore
from sockctl.errors import ConnectionBrokenError, ConnectTimeoutError, ExpectationError
from sockctl.net.address import Endpoint


def no_tokens() -> TokenStore:
    raise AssertionError("bytes need no token")


def begin(**settings: Any) -> ClientSession:
    """Return a session with a client that has come at the time 0."""
    own = ClientSettings(messages=False, reconnect=False, **settings)
    session = ClientSession(Targets([Endpoint("127.0.0.1", 9)]), own, open_tokens=no_tokens, number=3)
    session.connected(None, 0.0)
    return session


def find_end(events: list[SessionEvent]) -> SessionEnded | None:
    return next((event for event in events if isinstance(event, SessionEnded)), None)


def sent(events: list[SessionEvent]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, BytesToSend))


def test_a_client_that_ends_its_side_still_gets_the_input() -> None:
    session = begin()
    events = session.received(b"question", 1.0) + session.received(b"", 1.0)
    assert find_end(events) is None
    assert session.wants_input
    assert sent(session.typed(b"answer", 2.0)) == b"answer"
    assert find_end(session.typed(b"", 2.0)) is None  # the answer has not gone yet
    ended = find_end(session.sent(6, 2.5))
    assert ended is not None
    assert (ended.reason, ended.error) == ("client_closed", None)


def test_an_input_that_pauses_is_over_then() -> None:
    session = begin()
    session.received(b"", 1.0)
    session.typed(b"abc", 2.0)
    session.sent(3, 2.0)
    assert session.wake_at == 2.0 + QUIT_AFTER_S
    assert find_end(session.advance(2.0 + QUIT_AFTER_S - 0.01)) is None
    ended = find_end(session.advance(2.0 + QUIT_AFTER_S))
    assert ended is not None
    assert ended.error is None


@pytest.mark.parametrize("settings", [{"terminal": True}, {"recv_only": True}])
def test_without_an_input_for_it_the_clients_end_is_the_end(settings: dict[str, Any]) -> None:
    ended = find_end(begin(**settings).received(b"", 1.0))
    assert ended is not None
    assert (ended.reason, ended.error) == ("client_closed", None)


def test_the_inputs_end_half_closes_and_the_client_goes_on() -> None:
    session = begin()
    assert Signal.SENDING_ENDED in session.typed(b"", 1.0)
    assert find_end(session.received(b"late", 1e6)) is None
    assert find_end(session.received(b"", 1e6)) is not None


def test_a_client_that_breaks_off_while_it_gets_the_rest() -> None:
    session = begin()
    session.received(b"", 1.0)
    session.typed(b"abc", 1.0)
    ended = find_end(session.broke(ConnectionBrokenError("gone"), 1.0))
    assert ended is not None
    assert isinstance(ended.error, ConnectionBrokenError)


@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        ([Expect(re.compile("question")), Send("answer")], b"answer\n"),
        ([WaitForEnd(), Send("one"), Send("two")], b"one\ntwo\n"),
    ],
)
def test_a_script_goes_on_after_the_clients_end(steps: list[Step], answer: bytes) -> None:
    session = begin(steps=steps)
    events = session.received(b"question", 1.0) + session.received(b"", 1.0)
    assert sent(events) == answer
    ended = find_end(session.sent(len(answer), 1.5))
    assert ended is not None
    assert ended.error is None


def test_an_expectation_can_only_be_met_before_the_clients_end() -> None:
    session = begin(steps=[Expect(re.compile("other")), Send("x")])
    ended = find_end(session.received(b"question\n", 1.0) + session.received(b"", 1.0))
    assert ended is not None
    assert isinstance(ended.error, ExpectationError)
    assert "before the client ended the connection" in str(ended.error)


def test_a_client_that_never_ends_its_side() -> None:
    session = begin(steps=[Send("x")], timeout_s=5.0)
    session.sent(2, 1.0)
    ended = find_end(session.advance(5.0))
    assert ended is not None
    assert isinstance(ended.error, ConnectTimeoutError)
    assert str(ended.error).startswith("The client has not ended the connection within 5 s")


def test_what_a_client_sends_first_may_be_anything() -> None:
    """A client of TLS or of messages is shown as it is: some listen for that."""
    for first in (b"\x15\x03\x03", b"\0\0\0\x01", b"sockctl/1 echo\r\n"):
        events = begin().received(first, 1.0)
        assert [event.data for event in events if isinstance(event, BytesToShow)] == [first]


def test_the_events_have_the_number_and_the_words_of_a_listener() -> None:
    session = begin()
    events = session.typed(b"", 1.0) + session.received(b"ab", 1.0) + session.received(b"", 2.0)
    ended = find_end(events)
    assert ended is not None
    events += session.close(ended.reason, 2.0)
    found = [event.event for event in events if isinstance(event, EventToEmit)]
    assert [event.name for event in found] == ["input_ended", "data_received", "disconnected"]
    assert all(event.fields["connection"] == 3 for event in found)
    text = " ".join(event.text for event in found)
    assert "told the client (FIN) that nothing more comes. This side still reads its answers." in text
    assert "The client ended the connection after 2.0 s" in text
    assert "server" not in text
