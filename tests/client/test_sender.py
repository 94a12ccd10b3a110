import pytest

from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.sender import Sender, refuse_lines
from sockctl.client.session_events import BytesToSend, Remark, SessionEvent
from sockctl.client.settings import ClientSettings
from sockctl.errors import ConnectionBrokenError, UnsendableError


def sender(max_answers_bytes: int = 1_000) -> tuple[Sender, list[SessionEvent]]:
    events: list[SessionEvent] = []
    return Sender(ClientSettings(max_answers_bytes=max_answers_bytes), PipeInput(crlf=False), events), events


def test_nothing_goes_out_after_the_half_close() -> None:
    one, events = sender()
    one.send(b"before")
    one.send(b"")
    one.half_closed = True
    one.send(b"after")
    assert events == [BytesToSend(b"before")]
    assert one.unsent_bytes == 6


def test_answers_are_bounded_until_all_is_sent() -> None:
    one, events = sender(max_answers_bytes=100)
    answers = bytearray(b"x" * 60)
    one.answer(answers)
    assert not answers
    one.count_sent(60)
    one.answer(bytearray(b"x" * 60))
    with pytest.raises(ConnectionBrokenError, match="asks for answers and takes none: 60 bytes wait"):
        one.answer(bytearray(b"x" * 60))
    assert len(events) == 2


def test_a_line_that_grows_too_long_is_named() -> None:
    one, _ = sender()
    source = LineInput(crlf=False, by_hand=False)
    one.hold(source, b"one\ntwo\nx")
    one.hold(source, b"x" * 70_000)
    assert isinstance(source.failure, UnsendableError)
    assert "Line 3 of the input is longer" in str(source.failure)
    assert [*one.held] == [b"one", b"two"], "these are sent"


def test_refused_lines_are_remarked_and_made_visible() -> None:
    assert refuse_lines([b"", b" ", b"hello", b"caf\xe9\x1b"]) == [
        Remark("Not sent, there is no connection: hello"),
        Remark("Not sent, there is no connection: caf\N{REPLACEMENT CHARACTER}\N{SYMBOL FOR ESCAPE}"),
    ]
