"""What a client of a message service has sent: it chooses the wire, is decoded when asked for, and costs something."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from sockctl.errors import ProtocolError
from sockctl.events.journal import Journal
from sockctl.net.input_budget import BYTE_S, MESSAGE_S, QUANTUM_S, TELNET_BYTE_S, InputBudgets
from sockctl.net.message_input import MessageInput
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import encode_message, make_message
from sockctl.protocol.server_wire import ServerWire
from tests.support.connections import connected
from tests.support.frames import framed
from tests.support.running import MemorySink

HELLO = framed(kind="hello")


class Stage:
    """The input of one client, whose socket shows what the server has sent."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.connection, self.client = stack.enter_context(connected())
        self.client.settimeout(0)
        self.sink = MemorySink()
        journal = stack.enter_context(contextlib.closing(Journal(self.sink, service="test")))
        self.wire = ServerWire("test")
        self.input = MessageInput(self.connection, self.wire, journal, InputBudgets().open("192.0.2.7"))

    def sent(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return self.client.recv(65_536)
        return b""

    def texts(self) -> list[str]:
        found = []
        while (one := self.input.decode_next()) is not None:
            found.append(one.text)
        return found


@pytest.fixture
def stage() -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        yield Stage(stack)


def test_the_first_byte_chooses_the_wire(stage: Stage) -> None:
    assert not stage.input.feed(b"")
    assert stage.input.feed(b"one\ntw")
    assert not stage.input.feed(b"o\n")
    assert stage.texts() == ["one", "two"]


def test_frames(stage: Stage) -> None:
    assert stage.input.feed(HELLO)
    assert not stage.input.feed(framed(kind="line", text="one"))
    assert [one.kind for one in stage.input.decode(10)] == ["hello", "line"]
    assert stage.input.decode(10) == []


def test_what_was_said_before_the_choice_is_said_again_in_frames(stage: Stage) -> None:
    one = make_message("notice", "Hello.")
    stage.connection.post(stage.wire.encode(one))
    assert stage.sent().endswith(b"Hello.\r\n")
    stage.input.feed(HELLO)
    assert stage.sent().endswith(encode_frame(encode_message(one)))


def test_nothing_is_decoded_before_it_is_asked_for(stage: Stage) -> None:
    stage.input.feed(b"one\ntwo\nthree\n")
    assert [one.text for one in stage.input.decode(2)] == ["one", "two"]
    stage.input.skip()
    assert stage.texts() == []


def test_what_breaks_the_protocol(stage: Stage) -> None:
    stage.input.feed(HELLO + b"\xff\xff\xff\xff")
    assert [one.kind for one in stage.input.decode(10)] == ["hello"]
    with pytest.raises(ProtocolError):
        stage.input.decode(10)


def test_each_byte_and_message_is_charged(stage: Stage) -> None:
    budget = stage.input.budget
    stage.input.feed(b"one\ntwo\n")
    assert budget.work_s == pytest.approx(8 * BYTE_S)
    stage.input.decode_next()
    assert budget.work_s == pytest.approx(8 * BYTE_S + MESSAGE_S)
    stage.input.skip()
    assert budget.work_s == pytest.approx(8 * BYTE_S + 2 * MESSAGE_S)
    stage.input.feed(b"\xff\xf1\xff\xf1")  # telnet's "no operation", twice
    assert budget.work_s >= 12 * BYTE_S + 2 * MESSAGE_S + 2 * TELNET_BYTE_S


def test_what_takes_long_to_decode_is_charged_as_measured(stage: Stage) -> None:
    text = json.dumps({"kind": "line", "text": "", "junk": [[]] * 15_000})
    stage.input.feed(HELLO + len(text).to_bytes(4, "big") + text.encode())
    cheap = stage.input.budget.work_s
    stage.input.decode(10)
    assert stage.input.budget.work_s > cheap + QUANTUM_S


def test_a_client_that_is_held_is_told_of_once(stage: Stage) -> None:
    assert stage.input.settle(5.0) == 0.0
    for now in (6.0, 7.0):
        stage.input.budget.work_s += 1.0
        assert stage.input.settle(now) > 0
    (throttled,) = stage.sink.wait_for("input_throttled")
    assert throttled.connection == stage.connection.number
    assert throttled.seconds > 0
