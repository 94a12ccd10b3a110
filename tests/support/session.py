"""A session that is played without a socket, a terminal or a clock."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sockctl.client.protocol import MessageProtocol
from sockctl.client.protocol_factory import make_protocol
from sockctl.client.reconnect import Reconnector
from sockctl.client.server_identity import ServerIdentity
from sockctl.client.session import ClientSession
from sockctl.client.session_events import (
    BytesToSend,
    BytesToShow,
    EventToEmit,
    MessageToShow,
    QuestionAsked,
    Remark,
    SessionEnded,
    SessionEvent,
    TextReturned,
)
from sockctl.client.settings import ClientSettings
from sockctl.client.targets import Targets
from sockctl.client.token_store import TokenStore
from sockctl.net.address import Endpoint

SERVER = Endpoint("127.0.0.1", 9090)
Step = Callable[[float], list[SessionEvent]]


class Played:
    """A session, the bytes that it sends (which all go out at once) and its events.

    Args:
        state_dir: Where tokens are kept.
        servers: The servers that the user has named.
        settings: As of `ClientSettings`.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        in_clear: bool = False,
        sends: bool = True,
        edits: bool = False,
        servers: Sequence[Endpoint] = (SERVER,),
        **settings: Any,
    ) -> None:
        self.now = 1000.0
        self.events: list[SessionEvent] = []
        self.sent = b""
        self.server = ServerIdentity(servers[0], in_clear=in_clear, chat=tuple(servers) if len(servers) > 1 else ())
        self.targets = Targets(servers)
        client_settings = ClientSettings(**settings)
        self.session = ClientSession(
            self.targets,
            client_settings,
            open_tokens=lambda: TokenStore(state_dir),
            edits=edits,
            reconnector=Reconnector(self.targets, client_settings.return_pauses, lambda: 0.5),
        )
        self._sends = sends

    def connect(self) -> None:
        server = None if self.session.settings.messages is False else self.server
        self._note(self.session.connected(server, self.now))

    def receive(self, *pieces: bytes) -> None:
        for data in pieces:
            self._note(self.session.received(data, self.now))

    def end(self) -> None:
        """Let the server end its side."""
        self.receive(b"")

    def type(self, data: bytes) -> None:
        self._note(self.session.typed(data, self.now))

    def enter(self, text: str) -> None:
        """Enter a text in the line editor."""
        self._note(self.session.enter(text, self.now))

    def step(self, step: Step) -> None:
        self._note(step(self.now))

    def wait(self, seconds: float) -> None:
        """Let the time pass, as the loop does: no longer at once than the session says."""
        until = self.now + seconds
        while self.session.wake_at is not None and self.session.wake_at <= until and self.ended is None:
            self.now = max(self.now, self.session.wake_at)
            self._note(self.session.advance(self.now))
        self.now = until
        self._note(self.session.advance(self.now))

    @property
    def shown(self) -> list[str]:
        """The texts of the messages that were shown."""
        return [event.message.text for event in self.events if isinstance(event, MessageToShow)]

    @property
    def raw(self) -> bytes:
        """What was shown as it is."""
        return b"".join(event.data for event in self.events if isinstance(event, BytesToShow))

    @property
    def remarks(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Remark)]

    @property
    def asked(self) -> list[str]:
        """The texts of the questions."""
        return [event.question.text for event in self.events if isinstance(event, QuestionAsked) and event.question]

    @property
    def returned(self) -> list[tuple[str, str]]:
        """The texts that came back into the editor, and why."""
        return [(event.text, event.why) for event in self.events if isinstance(event, TextReturned)]

    @property
    def emitted(self) -> list[str]:
        return [event.event.name for event in self.events if isinstance(event, EventToEmit)]

    @property
    def ended(self) -> SessionEnded | None:
        return next((event for event in self.events if isinstance(event, SessionEnded)), None)

    def _note(self, events: Sequence[SessionEvent]) -> None:
        self.events += events
        count = 0
        for event in events:
            if isinstance(event, BytesToSend):
                self.sent += event.data
                count += len(event.data)
        if count and self._sends:
            self._note(self.session.sent(count, self.now))


def asking_protocol(state_dir: Path) -> MessageProtocol:
    """Return the messages of a connection to a service that asks, and has greeted."""
    protocol = make_protocol(
        ClientSettings(messages=True),
        SERVER,
        ServerIdentity(SERVER),
        open_tokens=lambda: TokenStore(state_dir),
        remark=lambda *_, **__: None,
        view=None,
        insist=True,
    )
    protocol.wire.feed(b"sockctl/1 auth\r\n")
    return protocol


def frames_in(data: bytes) -> list[bytes]:
    """Return the bodies of frames."""
    bodies = []
    while data:
        size = int.from_bytes(data[:4])
        bodies.append(data[4 : 4 + size])
        data = data[4 + size :]
    return bodies


GREETING = b"sockctl/1 chat\r\n" + b"text that comes again\r\n"
