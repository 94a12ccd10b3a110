"""One client of a service of messages, as the service sees it: all that a service knows of the network."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from sockctl.errors import AnswerRefusedError, PeerGoneError
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.sending_side import OUTBOX_BYTES, post_to_each
from sockctl.protocol.messages import Message, make_message
from sockctl.protocol.web_frames import translate_frames
from sockctl.text import format_count

T = TypeVar("T")
TRIES = 3
"""Tries that a client has to answer a question."""


class Peer(ABC):
    """One client of a service of messages. The service doesn't notice whether the wire is framed or encrypted.

    Attributes:
        number: The connection's number, counted from 1 since the server's start.
        address: The client's IP address, without the port; an IPv4-mapped one is given as IPv4.
        shown: The client's address and port, as events have them.
        state: The service's own state for this client.
        watching: Whether the service has called `watch`.
        hello: The `hello` of a client that speaks in frames; None before it has chosen frames.
        outlet: The connection that `post_to_all` sends to; None where it must call `post_encoded`.
        web_outlet: As `outlet`, for a WebSocket client, which needs the bytes translated.
        until: The time, on the monotonic clock, when a conversation waits no longer, and ends for `LOGIN_TIMEOUT`.
    """

    __slots__ = ("address", "hello", "number", "outlet", "shown", "state", "until", "watching", "web_outlet")

    def __init__(self, number: int, address: str, shown: str) -> None:
        self.number = number
        self.address = address
        self.shown = shown
        self.state: object = None
        self.watching = False
        self.hello: Message | None = None
        self.outlet: Connection | None = None
        self.web_outlet: Connection | None = None
        self.until = math.inf

    @property
    def keeps_tokens(self) -> bool:
        """Whether the client can save a token, and wants to."""
        return self.hello is not None and self.hello.fields.get("session") is not False

    def tell(self, kind: str, text: str = "", **fields: Any) -> None:
        """Send a message that is the service's own reply.

        In a conversation `tell` blocks while the client doesn't take the message. In a reaction it never blocks; the
        server reads nothing more from the client until the message is sent.

        Raises:
            PeerGoneError: The connection broke; in a conversation only.
        """
        self.send(make_message(kind, text, **fields))

    def ask(
        self, field: str, question: str, *, check: Callable[[str], T], secret: bool = False, tries: int = TRIES
    ) -> T:
        """Ask until `check` accepts the answer, and return the value of `check`; in a conversation only.

        The client may send its answer ahead of the question. After a refused answer, all input that has come is
        discarded, so that no rest of that answer counts as the next one.

        Args:
            field: The field of the answer: `name` or `password`.
            question: The question, for a person.
            check: Returns the value, or raises AnswerRefusedError with a sentence that explains the error.
            secret: Whether the client must hide the answer while the user types it.
            tries: The number of tries.

        Raises:
            PeerGoneError: The client left, its last try failed, or the connection is ending.
        """
        for left in range(tries - 1, -1, -1):
            try:
                return check(self.answer(field, question, secret=secret).text)
            except AnswerRefusedError as error:
                more = "" if left else " That was the last try."
                self.tell("error", f"{error}{more}", code=error.code)
            self.skip()
        raise self.give_up(DisconnectReason.TOO_MANY_TRIES)

    def answer(self, field: str, question: str, *, secret: bool = False, instead: Collection[str] = ()) -> Message:
        """Ask once, and return the answer; in a conversation only.

        Args:
            field: The field of the answer: `name` or `password`.
            question: The question, for a person.
            secret: Whether the client must hide the answer while the user types it.
            instead: Other kinds of messages that the service accepts instead.

        Raises:
            PeerGoneError: The client left, or the connection is ending.
        """
        self.tell("ask", question, field=field, secret=secret)
        while (one := self.receive()) is not None:
            if one.kind == "line" or one.kind in instead or (one.kind == "answer" and one.get("field") == field):
                return one
        raise self.give_up(DisconnectReason.CLIENT_CLOSED)

    def skip(self) -> None:
        """Discard all received input, and tell the client how many lines it had; in a conversation only.

        Raises:
            PeerGoneError: The connection broke.
            ProtocolError: As for `receive`.
        """
        if count := self.discard():
            lines = format_count(count, "line was", "lines were")
            self.tell(
                "error", f"{lines} sent ahead of an answer that failed: discarded.", code="discarded", count=count
            )

    def watch(self) -> None:
        """Have reactions follow the conversation on the same connection, once it returns."""
        self.watching = True

    @abstractmethod
    def admit(self) -> None:
        """Give the client the limits of a member; a conversation calls this once it has authenticated the client.

        Until then the client has the limits of a stranger. A service without a conversation admits every client.
        """

    @property
    @abstractmethod
    def limit_bytes(self) -> int:
        """Bytes that a message of the client may have. A new limit holds for all messages not received yet."""

    @limit_bytes.setter
    @abstractmethod
    def limit_bytes(self, limit_bytes: int) -> None: ...

    @abstractmethod
    def send(self, one: Message) -> None:
        """Send a message that is the service's own reply, as `tell` does."""

    @abstractmethod
    def send_encoded(self, data: bytes) -> None:
        """Send encoded messages, as `send` in a reaction: frames if `hello` is there, else lines.

        The client must have chosen its wire, by its first byte.
        """

    @abstractmethod
    def post(self, one: Message) -> None:
        """Send a message of another client. Never blocks; any thread may call this.

        A client for which more than 256 KiB wait is a slow reader: the server drops it.
        """

    @abstractmethod
    def post_encoded(self, data: bytes) -> None:
        """Post messages encoded once for many clients, as `post`: frames if `hello` is there, else lines.

        The client must have chosen its wire, by its first byte.
        """

    @abstractmethod
    def receive(self) -> Message | None:
        """Receive the next message, in a conversation only. Blocks; returns None when the client has ended its input.

        Raises:
            PeerGoneError: The connection is ending.
            ProtocolError: The client broke the protocol; the server core tells the client, and closes the connection.
        """

    @abstractmethod
    def discard(self) -> int:
        """Discard all received input, in a conversation only.

        Returns:
            How many messages of a user it had.

        Raises:
            ProtocolError: As for `receive`.
        """

    @abstractmethod
    def wait(self, events: dict[int, int], *, for_input: bool, until: float = math.inf) -> set[int]:
        """Wait for descriptors of the service, and for the client's input with `for_input`; in a conversation only.

        Args:
            events: The events to wait for, in `select.poll`'s terms, by descriptor.
            for_input: Whether to wait for the client as well; `pop_found` returns its messages.
            until: When to give up, on the monotonic clock.

        Returns:
            The descriptors of `events` that are ready, perhaps none.

        Raises:
            PeerGoneError: The connection is ending.
            ProtocolError: As for `receive`.
            TimeoutError: Neither was ready before `until`.
        """

    @abstractmethod
    def pop_found(self) -> list[Message] | None:
        """Return the messages that `wait` found, perhaps none; None when the client has ended its input."""

    @abstractmethod
    def call_soon(self, call: Callable[[], None]) -> None:
        """Have the client's event thread make a call. Any thread may ask; `call_soon` returns at once.

        The event thread makes the call even if the connection is closed by then.
        """

    @abstractmethod
    def charge(self, work_s: float) -> None:
        """Charge the client's budget for work beyond decoding its input; its event thread calls this.

        Args:
            work_s: The work, in seconds of a usual core.
        """

    @property
    @abstractmethod
    def is_backlogged(self) -> bool:
        """Whether more than 256 KiB wait to be sent, the service's own replies included."""

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether no message reaches the client any more: its connection broke, or is ending."""

    @property
    @abstractmethod
    def bytes_in(self) -> int:
        """Bytes received from the client."""

    @property
    @abstractmethod
    def stopping(self) -> bool:
        """Whether the connection is ending because the server stops; messages still reach the client."""

    @abstractmethod
    def give_up(self, reason: Reason) -> PeerGoneError:
        """Return the error that a conversation raises to close the connection for `reason`."""

    def stay(self, wait_s: float) -> None:  # noqa: B027  a peer without a connection ends with its input
        """Keep the connection when the input has ended, until `finish`; after `wait_s` it ends anyway.

        A service calls this in `ended` only.
        """

    def finish(self) -> None:
        """Close the connection of a client that has ended its input. Any thread may call this."""
        self.close(DisconnectReason.CLIENT_CLOSED)

    @abstractmethod
    def close(self, reason: Reason = DisconnectReason.SERVER_CLOSED) -> None:
        """Close the connection once the queued bytes are sent. Any thread may call this; it returns at once."""


def post_to_all(peers: Sequence[Peer], data: bytes) -> None:
    """Post encoded messages to each of `peers`, as `Peer.post_encoded`: to all in frames, or to all in lines.

    The messages are translated for WebSocket clients once, however many of these there are.
    """
    outlets = [outlet for peer in peers if (outlet := peer.outlet) is not None]
    beyond = post_to_each(outlets, data, OUTBOX_BYTES)
    if not beyond and len(outlets) == len(peers):
        return
    web = [outlet for peer in peers if (outlet := peer.web_outlet) is not None]
    if web:
        beyond += post_to_each(web, translate_frames(data), OUTBOX_BYTES)
    slow = set(beyond)
    for peer in peers if slow or len(outlets) + len(web) < len(peers) else ():
        outlet = peer.outlet or peer.web_outlet
        if outlet is None:
            peer.post_encoded(data)
        elif outlet in slow:
            peer.close(DisconnectReason.SLOW_READER)
