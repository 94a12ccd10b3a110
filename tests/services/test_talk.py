"""Talk: the operator's side without a terminal, and clients in lines and frames."""

import pytest

from sockctl.errors import NobodyThereError
from sockctl.events.reasons import DisconnectReason
from sockctl.protocol.messages import Message, make_message
from sockctl.services.talk import Talk
from tests.support.frames import frame_client
from tests.support.running import receive_exactly, running, wait_until
from tests.support.scripted_peer import ScriptedPeer


class Desk:
    """Keeps what the operator would see."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def show_joined(self, number: int, peer: str) -> None:
        self.seen.append(f"+{number} {peer.partition(':')[0]}")

    def show_said(self, number: int, text: str) -> None:
        self.seen.append(f"{number}: {text}")

    def show_left(self, number: int, why: str) -> None:
        self.seen.append(f"-{number} {why}")


def talk_with(*numbers: int) -> tuple[Talk, list[ScriptedPeer], Desk]:
    desk = Desk()
    talk = Talk(desk)
    peers = [ScriptedPeer(number=number) for number in numbers]
    for peer in peers:
        talk.joined(peer)
        peer.told.clear()
    return talk, peers, desk


def test_the_default_is_who_spoke_last() -> None:
    talk, (one, two), _ = talk_with(1, 2)
    with pytest.raises(NobodyThereError, match=r"pick one with @NUMBER \(1, 2\)"):
        talk.say("hello")
    talk.received(two, [make_message("line", "hi")])
    talk.say("hello")
    talk.say("@1 you too")
    talk.say("@2nd place")
    talk.say("@٢ place")
    assert one.texts == ["you too"]
    assert two.texts == ["hello", "@2nd place", "@٢ place"]
    assert two.told[0].kind == "say"
    assert two.told[0].get("sender") == "operator"
    talk.left(two, DisconnectReason.CLIENT_CLOSED)
    talk.say("only you are left")
    assert one.texts[-1] == "only you are left"


def test_the_operator_reads_why_a_client_left() -> None:
    talk, (one, two, three), desk = talk_with(1, 2, 3)
    talk.left(one, DisconnectReason.CLIENT_EXIT)
    talk.left(two, DisconnectReason.CLIENT_RESET)
    talk.left(three, DisconnectReason.IDLE_TIMEOUT)
    assert desk.seen[-3:] == ["-1 ", "-2 connection lost", "-3 nothing said for too long"]


def test_nobody_there() -> None:
    talk, (peer,), _ = talk_with(4)
    with pytest.raises(NobodyThereError, match=r"no client 7.*Connected: 4"):
        talk.say("@7 hello")
    talk.left(peer, DisconnectReason.CLIENT_CLOSED)
    with pytest.raises(NobodyThereError, match="Nobody is connected"):
        talk.say("hello")
    assert peer.told == []


def test_what_counts_as_saying() -> None:
    talk, (peer,), desk = talk_with(1)
    kinds = ("line", "answer", "say", "novelty", "resume")
    talk.received(peer, [Message({"kind": kind, "text": kind}) for kind in kinds])
    assert desk.seen == ["+1 192.0.2.7", "1: line", "1: answer", "1: say"]


def test_empty_lines_are_not_shown() -> None:
    talk, (one, two), desk = talk_with(1, 2)
    talk.received(one, [make_message("line", "hi")])
    talk.received(two, [make_message("line", text) for text in ("", " ", "\t \u3000")])
    assert desk.seen == ["+1 192.0.2.7", "+2 192.0.2.7", "1: hi"]
    talk.say("hello")
    assert one.texts == ["hello"], "who only pressed Enter has not spoken"


def test_lines_and_frames() -> None:
    desk = Desk()
    talk = Talk(desk)
    with running(talk) as run, run.client() as sock:
        receive_exactly(sock, len(b"sockctl/1 talk\r\n"))
        sock.sendall(b"from nc \x1b[31m\xe2\x80\xae[/x]\r\n")
        wait_until(lambda: "1: from nc [31m[/x]" in desk.seen)
        talk.say("hello \x1b[2J nc")
        said = b""
        while b"<operator>" not in said or not said.endswith(b"\r\n"):
            said += receive_exactly(sock, 1)
        assert said.endswith(b"<operator> hello [2J nc\r\n")
        with frame_client(run.port) as client:
            client.expect("welcome")
            client.line("from a program\nof two lines")
            wait_until(lambda: "2: from a program of two lines" in desk.seen)
            talk.say("hello program")
            client.expect("say", text="hello program", sender="operator")
        wait_until(lambda: any(one.startswith("-2 ") for one in desk.seen))


def test_a_chosen_client_gets_the_texts() -> None:
    talk, (one, two), _ = talk_with(1, 2)
    assert talk.numbers == [1, 2]
    assert talk.addressee is None
    talk.received(two, [make_message("line", "hi")])
    assert talk.addressee == 2
    talk.send(1, "@2 not an address", "second")
    assert one.texts == ["@2 not an address", "second"]
    talk.left(two, DisconnectReason.CLIENT_CLOSED)
    assert talk.addressee == 1
    with pytest.raises(NobodyThereError, match="no client 2"):
        talk.send(2, "too late")
