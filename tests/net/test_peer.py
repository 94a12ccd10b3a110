"""What a service sees of a client: questions and their answers, and what is posted to many at once."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from sockctl.errors import AnswerRefusedError, PeerGoneError
from sockctl.events.reasons import DisconnectReason
from sockctl.net.connection import Connection
from sockctl.net.peer import TRIES, post_to_all
from sockctl.net.sending_side import OUTBOX_BYTES
from sockctl.protocol.messages import make_message
from tests.support.connections import connected
from tests.support.scripted_peer import ScriptedPeer


def to_number(text: str) -> int:
    if not text.isdigit():
        raise AnswerRefusedError("That is no number.")
    return int(text)


def test_a_question_is_asked_until_its_answer_will_do() -> None:
    peer = ScriptedPeer("one", "2")
    assert peer.ask("age", "How old?", check=to_number, secret=True) == 2
    assert peer.kinds == ["ask", "error", "ask"]
    assert peer.texts[1] == "That is no number."
    assert peer.told[0].fields == {"kind": "ask", "text": "How old?", "field": "age", "secret": True}


def test_the_last_try_is_said_to_be_the_last() -> None:
    peer = ScriptedPeer(*["one"] * TRIES, "4")
    with pytest.raises(PeerGoneError):
        peer.ask("age", "How old?", check=to_number)
    assert peer.reason is DisconnectReason.TOO_MANY_TRIES
    assert [text for text in peer.texts if "last try" in text] == ["That is no number. That was the last try."]
    assert peer.kinds.count("ask") == TRIES


def test_what_answers_a_question() -> None:
    peer = ScriptedPeer(
        make_message("hello"),
        make_message("answer", "ann", field="name"),
        make_message("answer", "7", field="age"),
        "line",
    )
    assert peer.answer("age", "How old?").text == "7"
    assert peer.answer("age", "How old?").text == "line", "a line answers any question"
    peer.script(make_message("resume", token="t"))
    assert peer.answer("name", "Who?", instead={"resume"}).kind == "resume"


def test_a_client_that_leaves_instead_of_answering() -> None:
    peer = ScriptedPeer(make_message("resume", token="t"))
    with pytest.raises(PeerGoneError):
        peer.answer("name", "Who?")
    assert peer.reason is DisconnectReason.CLIENT_CLOSED


@pytest.fixture
def outlets() -> Iterator[list[tuple[Connection, socket.socket]]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connected(number)) for number in (1, 2)]


class Posted(ScriptedPeer):
    """Keeps what it is posted, where it has no outlet."""

    def __init__(self, outlet: Connection | None = None) -> None:
        super().__init__()
        self.outlet = outlet
        self.data = b""

    def post_encoded(self, data: bytes) -> None:
        self.data += data


def test_all_are_posted_the_same(outlets: list[tuple[Connection, socket.socket]]) -> None:
    peers = [Posted(outlet) for outlet, _ in outlets]
    post_to_all(peers, b"news")
    without = Posted()
    post_to_all([*peers, without], b" of today")
    assert [client.recv(100) for _, client in outlets] == [b"news of today"] * 2
    assert without.data == b" of today"
    assert all(peer.data == b"" for peer in peers), "sent by its outlet, and once"


def test_a_slow_reader_is_dropped_and_the_others_are_not(outlets: list[tuple[Connection, socket.socket]]) -> None:
    slow, quick = [Posted(outlet) for outlet, _ in outlets]
    client = outlets[1][1]
    piece = bytes(65_536)
    for _ in range(1_000):
        post_to_all([slow, quick], piece)
        rest = len(piece)
        while rest:
            rest -= len(client.recv(rest))
        if slow.reason is not None:
            break
    assert slow.reason is DisconnectReason.SLOW_READER
    assert quick.reason is None
    assert len(outlets[0][0].outbox) <= OUTBOX_BYTES
