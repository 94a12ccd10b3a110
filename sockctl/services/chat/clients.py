"""The two kinds of clients of a member: a connection, and the server's own terminal."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from sockctl.errors import CommandError
from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer
from sockctl.protocol.frames import FrameDecoder
from sockctl.protocol.messages import Message, decode_message
from sockctl.services.chat.member import CAPABILITIES, Client, Member

REPLAY_PIECE = 50
"""Messages of a long answer that are sent before other clients have their turn."""


class RemoteClient(Client):
    """A member's connection.

    Attributes:
        peer: The connection.
        announced: Whether the chat has emitted `member_came` for the client: then it emits `member_left`, too.
        seen: By room, the last id that the client had seen before it connected, or `NOTHING`. The room sends only later
            messages when the client first joins. The client speaks in the last of these rooms.
        held_back: Its messages that came too fast, and all later ones.
        bytes_heard: Bytes received from the client until the last tick.
        heard_at: The last tick at which the client had sent something, on the monotonic clock.
        pinged: Whether the chat has sent a ping since then.
        replaying: The rest of a long answer.
    """

    __slots__ = ("_will_continue", "announced", "bytes_heard", "heard_at", "held_back", "pinged", "replaying", "seen")
    peer: Peer

    def __init__(self, peer: Peer, member: Member, *, seen: dict[str, int], now: float) -> None:
        super().__init__(member, framed=peer.hello is not None, peer=peer, can=_read_capabilities(peer.hello))
        self.announced = False
        self.seen = seen
        self.held_back: deque[Message] = deque()
        self.bytes_heard, self.heard_at, self.pinged = 0, now, False
        self.watched = False
        self.replaying: Iterator[Message] | None = None
        self._will_continue = False  # whether the event thread will call `continue_replay`

    @property
    def address(self) -> str:
        """The client's IP address."""
        return self.peer.address

    @property
    def is_backlogged(self) -> bool:
        """Whether the client reads less than the server sends."""
        return self.peer.is_backlogged

    def reply(self, one: Message) -> None:
        """Send a reply of the chat's own."""
        self.peer.send(one)

    def reply_encoded(self, data: bytes) -> None:
        """Send encoded replies of the chat's own."""
        self.peer.send_encoded(data)

    def replay(self, messages: Iterator[Message]) -> None:
        """Send a long answer piece by piece: it neither fills the memory nor keeps other clients waiting."""
        if self.replaying is not None:
            raise CommandError("The answer before is still on its way: wait for its end.")
        self.replaying = messages
        self.continue_replay()

    def continue_replay(self) -> None:
        """Send the next piece of a long answer, if the client has read the last one; else the next tick does."""
        self._will_continue = False
        if self.replaying is None or self.is_backlogged:
            return
        self._send_piece(self.replaying)
        if self.replaying is not None:
            self.continue_replay_soon()

    def continue_replay_soon(self) -> None:
        """Have the event thread call `continue_replay`."""
        if not self._will_continue:
            self._will_continue = True
            self.peer.call_soon(self.continue_replay)

    def finish_replay(self) -> None:
        """Send as much of a long answer's rest as the outbox takes: the connection is about to close."""
        while self.replaying is not None and not self.is_backlogged:
            self._send_piece(self.replaying)
        if self.replaying is not None:
            self.replaying = None
            self.tell("error", "You leave before you have read the answer: its rest is left out.", code="left_out")

    def _send_piece(self, messages: Iterator[Message]) -> None:
        if self.peer.is_gone:
            self.replaying = None  # the client has run the command, but can't read the answer
            return
        piece = list(islice(messages, REPLAY_PIECE))
        for one in piece:
            self.reply(one)
        if self.leaving or not piece or "more" not in piece[-1].fields:
            self.replaying = None  # with the last one: a client that has it may ask for the next answer

    def post(self, one: Message) -> None:
        """Send another member's message."""
        self.peer.post(one)

    def post_encoded(self, data: bytes) -> None:
        """Send other members' encoded messages."""
        self.peer.post_encoded(data)

    def close(self, reason: Reason) -> None:
        """Close the connection once the messages that wait for the client are sent."""
        self.leaving = True
        self.peer.close(reason)


class ConsoleClient(Client):
    """The server's own terminal, where an operator reads and chats. It receives messages as a client in frames does.

    Args:
        member: The operator.
        show: Shows a message; any thread calls it, and it never waits.
    """

    __slots__ = ("_show",)

    def __init__(self, member: Member, show: Callable[[Message], None]) -> None:
        super().__init__(member, framed=True, can=CAPABILITIES)
        self._show = show

    @property
    def address(self) -> str:
        """No address."""
        return ""

    @property
    def is_backlogged(self) -> bool:
        """Never: a slow terminal shows fewer lines."""
        return False

    def reply(self, one: Message) -> None:
        """Show a message."""
        self._show(one)

    post = reply

    def reply_encoded(self, data: bytes) -> None:
        """Show messages."""
        frames = FrameDecoder()
        frames.feed(data)
        while texts := frames.decode():
            for text in texts:
                self._show(decode_message(text))

    post_encoded = reply_encoded

    def replay(self, messages: Iterator[Message]) -> None:
        """Show a long answer."""
        for one in messages:
            self._show(one)

    def close(self, reason: Reason) -> None:  # noqa: ARG002  the terminal stays for any reason
        """Stay: the server's terminal can't be closed."""
        self.tell("notice", "Ctrl-C ends the server.", code="stays")


def _read_capabilities(hello: Message | None) -> list[str]:
    """Return what a client can show, as its `hello` says."""
    can = hello.fields.get("can") if hello is not None else None
    return [one for one in can if isinstance(one, str)] if isinstance(can, list) else []


def include_console(clients: Iterable[Client]) -> bool:
    """Return whether the server's own terminal is among some clients."""
    return any(isinstance(client, ConsoleClient) for client in clients)
