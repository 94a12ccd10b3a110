"""From where members chat: a connection, or the server's own terminal."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from sockctl.errors import CommandError
from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import Message, as_line, message
from sockctl.services.chat.commands import LOBBY

if TYPE_CHECKING:
    from sockctl.services.chat.members import Member

__all__ = ["NOTHING", "Client", "ConsoleClient", "RemoteClient"]

NOTHING = -1
"""In place of the last id that was seen, where nothing is known of that; 0 says that there was nothing to be seen."""
AT_ONCE = 50
"""Messages of a long answer that are sent before the others have their turn."""


class Client(ABC):
    """Where a member sits. Its state belongs to the thread in which its messages come.

    Attributes:
        member: Who sits there.
        framed: Whether it hears frames; else lines.
        room: The name of the room in which it speaks; empty where it is in none.
        watched: Whether it goes on by reacting: before, its own thread may wait for the client.
        leaving: Whether it was let go: nothing that still comes from it counts.
        peer: Its connection; None where it has none.
        hears_all: Whether it hears every room, also those that its member isn't in.
    """

    __slots__ = ("framed", "hears_all", "leaving", "member", "peer", "room", "watched")

    def __init__(self, member: "Member", *, framed: bool, peer: Peer | None = None, hears_all: bool = False) -> None:
        self.member = member
        self.peer = peer
        self.framed = framed
        self.hears_all = hears_all
        self.room = ""
        self.watched = True
        self.leaving = False

    def tell(self, kind: str, text: str, **fields: Any) -> None:
        """Tell it something; never waits, and never makes it a slow reader."""
        self.reply(message(kind, text, **fields))

    @property
    @abstractmethod
    def address(self) -> str:
        """The IP address that it is at; empty for the server's terminal."""

    @property
    @abstractmethod
    def is_backlogged(self) -> bool:
        """Whether more waits to be sent to it than to a slow reader: then it is told nothing that can wait."""

    @abstractmethod
    def reply(self, one: Message) -> None:
        """Send what the chat itself says to it, as `tell` does."""

    @abstractmethod
    def reply_encoded(self, data: bytes) -> None:
        """As `reply`, for what is encoded for its wire."""

    @abstractmethod
    def replay(self, messages: Iterator[Message]) -> None:
        """Send a long answer; what doesn't go out at once follows bit by bit.

        Args:
            messages: The answer, of which each message but the last says `more`.

        Raises:
            CommandError: There is one on its way already.
        """

    @abstractmethod
    def post(self, one: Message) -> None:
        """Send what others say; never waits."""

    @abstractmethod
    def post_encoded(self, data: bytes) -> None:
        """Send what others say, encoded for its wire; never waits."""

    @abstractmethod
    def close(self, reason: Reason) -> None:
        """Let it go."""


class RemoteClient(Client):
    """A member's connection.

    Attributes:
        peer: The connection.
        came: Whether `member_came` was told of it: then `member_left` will be.
        seen: The last id that it has seen before it came, by room, or `NOTHING`: what is older is not told again. It
            counts for the first time that it comes into the room; it speaks in the last of them.
        held: What it has said too fast, and what came after that.
        heard: Bytes that had come from it when it was looked at last.
        heard_at: When there were more than before, on the monotonic clock.
        pinged: Whether it was asked since then whether it is still there.
        replaying: What is still to be sent of a long answer.
    """

    __slots__ = ("_goes_on", "came", "heard", "heard_at", "held", "pinged", "replaying", "seen")
    peer: Peer

    def __init__(self, peer: Peer, member: "Member", *, seen: dict[str, int], now: float) -> None:
        super().__init__(member, framed=peer.hello is not None, peer=peer)
        self.came = False
        self.seen = seen
        self.held: deque[Message] = deque()
        self.heard, self.heard_at, self.pinged = 0, now, False
        self.watched = False
        self.replaying: Iterator[Message] | None = None
        self._goes_on = False  # whether `go_on` will be called

    @property
    def address(self) -> str:
        """The client's IP address."""
        return self.peer.address

    @property
    def is_backlogged(self) -> bool:
        """Whether the client takes less than it is sent."""
        return self.peer.is_backlogged

    def reply(self, one: Message) -> None:
        """Send what the chat itself says."""
        self.peer.send(one)

    def reply_encoded(self, data: bytes) -> None:
        """Send what the chat itself says, encoded."""
        self.peer.send_encoded(data)

    def replay(self, messages: Iterator[Message]) -> None:
        """Send a long answer, in pieces: it must neither fill the memory nor keep the others waiting."""
        if self.replaying is not None:
            raise CommandError("The answer before is still on its way: wait for its end.")
        self.replaying = messages
        self.go_on()

    def go_on(self) -> None:
        """Send the next piece of a long answer, as soon as the client has taken the one before."""
        self._goes_on = False
        if self.replaying is None or self.is_backlogged:
            return  # then it is looked at again
        self._send_piece(self.replaying)
        if self.replaying is not None:
            self.go_on_soon()

    def go_on_soon(self) -> None:
        """Have `go_on` called by the event thread."""
        if not self._goes_on:
            self._goes_on = True
            self.peer.call_soon(self.go_on)

    def finish_answer(self) -> None:
        """Send the rest of a long answer, since nothing can be sent any more soon: as much of it as may wait."""
        while self.replaying is not None and not self.is_backlogged:
            self._send_piece(self.replaying)
        if self.replaying is not None:
            self.replaying = None
            self.tell("error", "You leave before you have read the answer: its rest is left out.", code="left_out")

    def _send_piece(self, messages: Iterator[Message]) -> None:
        if self.peer.is_gone:
            self.replaying = None  # what it had asked for is carried out, but nobody reads the answer
            return
        some = list(islice(messages, AT_ONCE))
        for one in some:
            self.reply(one)
        if self.leaving or not some or "more" not in some[-1].fields:
            self.replaying = None  # with the last one: whoever has it may ask for the next answer

    def post(self, one: Message) -> None:
        """Send what others say."""
        self.peer.post(one)

    def post_encoded(self, data: bytes) -> None:
        """Send what others say, encoded."""
        self.peer.post_encoded(data)

    def close(self, reason: Reason) -> None:
        """End the connection; what is queued is still sent."""
        self.leaving = True
        self.peer.close(reason)


class ConsoleClient(Client):
    """The server's own terminal, where an operator reads along.

    Args:
        member: Who sits there.
        show: Shows a line; never waits.
    """

    __slots__ = ("_show",)

    def __init__(self, member: "Member", show: Callable[[str], None]) -> None:
        super().__init__(member, framed=False, hears_all=True)
        self._show = show

    @property
    def address(self) -> str:
        """No address."""
        return ""

    @property
    def is_backlogged(self) -> bool:
        """Never: a terminal that is too slow is shown less."""
        return False

    def reply(self, one: Message) -> None:
        """Show what the chat itself says."""
        self._show(as_line(one, unmarked_room=LOBBY))

    def reply_encoded(self, data: bytes) -> None:
        """Show what the chat itself says, line by line."""
        self.post_encoded(data)

    def replay(self, messages: Iterator[Message]) -> None:
        """Show a long answer."""
        for one in messages:
            self.reply(one)

    def post(self, one: Message) -> None:
        """Show what others say."""
        self._show(as_line(one, unmarked_room=LOBBY))

    def post_encoded(self, data: bytes) -> None:
        """Show what others say, line by line."""
        for line in data.decode().split("\r\n")[:-1]:
            self._show(line)

    def close(self, reason: Reason) -> None:  # noqa: ARG002  whatever it is
        """Stay: the server's terminal can't be let go."""
        self._show("Ctrl-C ends the server.")
