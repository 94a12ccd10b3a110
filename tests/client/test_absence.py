"""Tests for `sockctl.client.absence`."""

from typing import Any

import pytest

from sockctl.client.absence import Absence
from sockctl.client.chat.view import ChatView
from sockctl.client.reconnect import Reconnector
from sockctl.client.session_events import EventToEmit, SessionEvent, Signal, TextArrived, TextReturned
from sockctl.client.settings import USUAL_PAUSES, ClientSettings
from sockctl.client.targets import Targets
from sockctl.errors import ConnectTimeoutError, InputDiscardedError, UnreachableError
from sockctl.net.address import Endpoint

HERE = Endpoint("127.0.0.1", 9090)
REFUSED = UnreachableError("Nobody is there.")


class Away:
    """A client that is not connected, at the time 100."""

    def __init__(self, view: ChatView | None = None, **settings: Any) -> None:
        self.events: list[SessionEvent] = []
        self.absence = Absence(
            ClientSettings(**settings), view, self.events, Reconnector(Targets([HERE]), USUAL_PAUSES, lambda: 0.5)
        )

    @property
    def emitted(self) -> list[str]:
        return [event.event.name for event in self.events if isinstance(event, EventToEmit)]


def test_pauses_grow_and_one_reason_is_told_once() -> None:
    one = Away(terminal=True)
    for pause_s in (0.5, 1.0, 2.0):
        one.absence.go_on(REFUSED, 100.0)
        assert one.absence.left_s(100.0) == pause_s
    assert one.emitted == ["reconnecting"]
    one.absence.go_on(None, 100.0)
    assert one.emitted == ["reconnecting"] * 2


def test_a_connection_is_wanted_once_when_the_pause_is_over() -> None:
    one = Away(terminal=True)
    one.absence.go_on(REFUSED, 100.0)
    one.absence.settle(None, 100.4)
    assert Signal.CONNECTION_WANTED not in one.events
    assert one.absence.wake_at == 100.5
    one.absence.settle(None, 100.5)
    one.absence.settle(None, 100.6)
    assert one.events.count(Signal.CONNECTION_WANTED) == 1
    assert one.absence.left_s(100.6) == 0.0


def test_a_script_has_no_longer_than_its_time() -> None:
    one = Away(messages=True, timeout_s=3.0)
    one.absence.go_on(REFUSED, 100.0)
    one.absence.settle(100.2, 100.1)
    assert one.absence.wake_at == 100.2
    with pytest.raises(ConnectTimeoutError, match=r"the script's 3 s \(--timeout\) are up"):
        one.absence.settle(100.2, 100.2)


def test_lines_that_may_not_have_arrived_fail_a_pipe_until_they_have() -> None:
    view = ChatView(own_lines_stay=False, remark=lambda _: None)
    one = Away(view, messages=True, reconnect=True)
    view.note_sent("one")
    view.note_sent("two")
    assert one.absence.judge() is None
    one.absence.tell_doubtful()
    assert [event.text for event in one.events if isinstance(event, TextReturned)] == ["one", "two"]
    one.events[:] = [TextArrived("one")]
    one.absence.note_arrived()
    error = one.absence.judge()
    assert isinstance(error, InputDiscardedError)
    assert str(error).startswith("1 line may not have arrived")
    one.absence.note_arrived()
    assert one.absence.judge() is None
