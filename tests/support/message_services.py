"""Services of messages for tests of the core."""

from collections.abc import Callable
from typing import ClassVar

from sockctl.errors import AnswerRefusedError
from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.messages import Message
from tests.support.running import Running, wait_until


def reason_of(run: Running, number: int = 1) -> Reason:
    wait_until(lambda: any(event.connection == number for event in run.sink.named("client_disconnected")))
    reason: Reason = run.sink.named("client_disconnected")[-1].reason
    return reason


class Parrot(MessageService):
    """Reacts: says again what it hears, and keeps what happened."""

    name: ClassVar[str] = "parrot"
    does = "It repeats."

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.batches: list[list[Message]] = []
        self.gone: list[Reason] = []
        self.welcome = "Hello."

    def joined(self, peer: Peer) -> None:
        self.peers.append(peer)
        peer.tell("welcome", self.welcome)

    def received(self, peer: Peer, batch: list[Message]) -> None:
        self.batches.append(batch)
        for one in batch:
            if one.text == "fail":
                raise ValueError("it was told to")
            if one.text == "close":
                peer.close()
                return
            peer.tell("say", one.text, sender="parrot")

    def left(self, _: Peer, reason: Reason) -> None:
        self.gone.append(reason)


def checked(text: str) -> str:
    if not text.isalpha():
        raise AnswerRefusedError(f"{text!r} won't do.")
    return text


class Doorman(MessageService, Conversation[Peer]):
    """Asks for a name, then for a secret, and goes on by reacting if the name is `stay`."""

    name: ClassVar[str] = "doorman"
    does = "It asks."

    def __init__(self, then: Callable[[Peer], None] | None = None) -> None:
        self.answers: list[str] = []
        self.heard: list[str] = []
        self.gone: list[Reason] = []
        self._then = then

    def converse(self, peer: Peer) -> None:
        peer.limit_bytes = 100
        name = peer.ask("name", "Who?", check=checked)
        self.answers.append(name)
        self.answers.append(peer.ask("password", "Secret?", check=checked, secret=True))
        peer.limit_bytes = 1000
        if self._then is not None:
            self._then(peer)
        peer.tell("welcome", f"Hello, {name}.")
        if name == "stay":
            peer.watch()

    def received(self, peer: Peer, batch: list[Message]) -> None:
        self.heard += [one.text for one in batch]
        for one in batch:
            peer.tell("say", one.text.upper())

    def left(self, _: Peer, reason: Reason) -> None:
        self.gone.append(reason)


class Greeter(MessageService, Conversation[Peer]):
    """Says something and is done."""

    name: ClassVar[str] = "greeter"
    does = "It greets."

    def __init__(self, words: int = 1) -> None:
        self._words = words

    def converse(self, peer: Peer) -> None:
        for number in range(self._words):
            peer.tell("welcome", f"Word {number} {'x' * 100}")


def is_in(peer: Peer) -> bool:
    assert peer.outlet is not None
    return peer.outlet.admitted
