"""What a service sees of the network: one client to talk with."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from sockctl.errors import AnswerRefusedError, PeerGoneError
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import READ_BYTES
from sockctl.net.sending_side import OUTBOX_BYTES, post_to_each
from sockctl.protocol.messages import Message, message
from sockctl.text import plural

T = TypeVar("T")
TRIES = 3
"""How often a question is asked."""


class RawPeer:
    """One client of a service of bytes.

    Attributes:
        number: The connection's number, counted from 1 since the server's start.
        address: The client's IP address, without the port; an IPv4-mapped one is given as IPv4.
        state: Whatever the service keeps for this client.
        post: Sends bytes without ever waiting; any thread may call it. What the client doesn't take at once is queued,
            and nothing more is read from it until that is gone. On a connection that is ending it does nothing.
        watching: Whether the service asked to go on by reacting.
    """

    __slots__ = ("_connection", "_event_loop", "address", "number", "post", "state", "watching")

    def __init__(self, connection: Connection, event_loop: EventLoop) -> None:
        self._connection = connection
        self._event_loop = event_loop
        self.number = connection.number
        self.address = connection.host
        self.post = connection.post
        self.state: object = None
        self.watching = False

    def send(self, data: bytes) -> None:
        """Send bytes, in a conversation only; waits while the client doesn't take them.

        Raises:
            PeerGoneError: The connection is ending.
        """
        self._connection.send(data)

    def receive(self, max_bytes: int = READ_BYTES) -> bytes:
        """Wait for bytes, in a conversation only; no bytes when the client's input has ended.

        Raises:
            PeerGoneError: The connection is ending.
        """
        return self._connection.receive(max_bytes)

    def watch(self) -> None:
        """Let the conversation, once it returns, be followed by reactions on the same connection."""
        self.watching = True

    def close(self, reason: Reason = DisconnectReason.SERVER_CLOSED) -> None:
        """End the connection: what is queued is still sent. Any thread may call it; it returns at once."""
        self._event_loop.close(self._connection, reason)


class Peer(ABC):
    """One client of a service of messages: frames or lines, plain or encrypted, the service notices nothing of it.

    Attributes:
        number: The connection's number, counted from 1 since the server's start.
        address: The client's IP address, without the port; an IPv4-mapped one is given as IPv4.
        shown: Its address and port, as events have them.
        state: Whatever the service keeps for this client.
        watching: Whether the service asked to go on by reacting.
        hello: What a client that speaks in frames says of itself; None as long as it doesn't.
        outlet: What `post_to_all` sends to; None where `post_encoded` does.
        until: In a conversation: when the client must have said what it is waited for, on the monotonic clock. Then
            the conversation is given up, for `LOGIN_TIMEOUT`.
    """

    __slots__ = ("address", "hello", "number", "outlet", "shown", "state", "until", "watching")

    def __init__(self, number: int, address: str, shown: str) -> None:
        self.number = number
        self.address = address
        self.shown = shown
        self.state: object = None
        self.watching = False
        self.hello: Message | None = None
        self.outlet: Connection | None = None
        self.until = math.inf

    def tell(self, kind: str, text: str = "", **fields: Any) -> None:
        """Send a message that is the service's own reply.

        In a conversation it waits while the client doesn't take it; in a reaction it never waits, and nothing more is
        read from the client until it has.

        Raises:
            PeerGoneError: The connection broke; in a conversation only.
        """
        self.send(message(kind, text, **fields))

    def ask(
        self, field: str, question: str, *, check: Callable[[str], T], secret: bool = False, tries: int = TRIES
    ) -> T:
        """Ask until `check` takes the answer, and return what it makes of it; in a conversation only.

        What the client sent ahead of the question may be the answer to it. What it sent ahead of an answer that was
        refused is discarded, so that the rest of it isn't taken for something else.

        Args:
            field: What is asked for: `name` or `password`.
            question: The question, for a person.
            check: Returns the value, or raises AnswerRefusedError with a sentence that explains what is wrong.
            secret: Whether the answer must not be shown while it is typed.
            tries: How often it is asked.

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
            field: What is asked for: `name` or `password`.
            question: The question, for a person.
            secret: Whether the answer must not be shown while it is typed.
            instead: Other kinds of messages that will do instead.

        Raises:
            PeerGoneError: The client left, or the connection is ending.
        """
        self.tell("ask", question, field=field, secret=secret)
        while (one := self.receive()) is not None:
            if one.kind == "line" or one.kind in instead or (one.kind == "answer" and one.get("field") == field):
                return one
        raise self.give_up(DisconnectReason.CLIENT_CLOSED)

    def skip(self) -> None:
        """Discard what the client has sent so far, and tell it how much that was; in a conversation only.

        Raises:
            PeerGoneError: The connection broke.
            ProtocolError: As for `receive`.
        """
        if count := self.discard():
            lines = plural(count, "line was", "lines were")
            self.tell(
                "error", f"{lines} sent ahead of an answer that failed: discarded.", code="discarded", count=count
            )

    def watch(self) -> None:
        """Let the conversation, once it returns, be followed by reactions on the same connection."""
        self.watching = True

    @abstractmethod
    def admit(self) -> None:
        """Note that the client is in: a conversation calls it once the client has logged in or is known.

        Until then the client has the limits of a stranger. A service without a conversation admits every client.
        """

    @property
    @abstractmethod
    def limit_bytes(self) -> int:
        """Bytes that a message of the client may have; may be set, and holds for what was not received yet."""

    @limit_bytes.setter
    @abstractmethod
    def limit_bytes(self, limit_bytes: int) -> None: ...

    @abstractmethod
    def send(self, one: Message) -> None:
        """Send a message that is the service's own reply, as `tell` does."""

    @abstractmethod
    def send_encoded(self, data: bytes) -> None:
        """As `send` in a reaction, for messages that are encoded already: frames if `hello` is there, else lines.

        The client's wire must be chosen: it has said something.
        """

    @abstractmethod
    def post(self, one: Message) -> None:
        """Send what others say, without ever waiting; any thread may call it.

        A client that has 256 KiB waiting is a slow reader: it is dropped, and nobody waits for it.
        """

    @abstractmethod
    def post_encoded(self, data: bytes) -> None:
        """As `post`, for messages that are encoded once for many: frames if `hello` is there, else lines.

        The client's wire must be chosen: it has said something.
        """

    @abstractmethod
    def receive(self) -> Message | None:
        """Wait for the next message, in a conversation only; None when the client has ended its input.

        Raises:
            PeerGoneError: The connection is ending.
            ProtocolError: The client broke the protocol; the server core tells it so, and ends the connection.
        """

    @abstractmethod
    def discard(self) -> int:
        """Discard what the client has sent so far, in a conversation only.

        Returns:
            How many messages of it a user had said.

        Raises:
            ProtocolError: As for `receive`.
        """

    @abstractmethod
    def wait(self, events: dict[int, int], *, for_input: bool, until: float = math.inf) -> set[int]:
        """Wait for descriptors of the service's own, and for the client's input if that is wanted; in a conversation.

        Args:
            events: What to wait for, in `select.poll`'s terms, by descriptor.
            for_input: Whether to wait for the client as well; what has come is there to `pop_found`.
            until: When to give up, on the monotonic clock.

        Returns:
            Those descriptors of `events` on which something has happened, perhaps none.

        Raises:
            PeerGoneError: The connection is ending.
            ProtocolError: As for `receive`.
            TimeoutError: Nothing happened before `until`.
        """

    @abstractmethod
    def pop_found(self) -> list[Message] | None:
        """Return the messages that `wait` found, perhaps none; None when the client has ended its input."""

    @abstractmethod
    def call_soon(self, call: Callable[[], None]) -> None:
        """Have the thread that the client's batches come in call something; any thread, returns at once.

        It is called even if the connection is closed by then.
        """

    @abstractmethod
    def charge(self, work_s: float) -> None:
        """Charge the client's budget for work that it makes beyond its own input; its event thread calls it.

        Args:
            work_s: The work in seconds, as a usual core does it.
        """

    @property
    @abstractmethod
    def is_backlogged(self) -> bool:
        """Whether more waits to be sent than what makes a client a slow reader, the service's own replies included."""

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether nothing that is told reaches the client any more: its connection broke, or is ending."""

    @property
    @abstractmethod
    def bytes_in(self) -> int:
        """Bytes that have come from the client."""

    @property
    @abstractmethod
    def stopping(self) -> bool:
        """Whether the connection is ending because the server stops: what is told now still reaches the client."""

    @abstractmethod
    def give_up(self, reason: Reason) -> PeerGoneError:
        """Return what a conversation raises to end the connection for `reason`."""

    @abstractmethod
    def close(self, reason: Reason = DisconnectReason.SERVER_CLOSED) -> None:
        """End the connection: what is queued is still sent. Any thread may call it; it returns at once."""


def post_to_all(peers: Sequence[Peer], data: bytes) -> None:
    """As `Peer.post_encoded` for each of `peers`, which all have the same wire."""
    outlets = [outlet for peer in peers if (outlet := peer.outlet) is not None]
    beyond = post_to_each(outlets, data, OUTBOX_BYTES)
    if not beyond and len(outlets) == len(peers):
        return
    for peer in peers:
        if peer.outlet is None:
            peer.post_encoded(data)
        elif peer.outlet in beyond:
            peer.close(DisconnectReason.SLOW_READER)
