"""From where members chat: a connection, or the server's own terminal."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sockctl.events.reasons import DisconnectReason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import Message, as_line, message

if TYPE_CHECKING:
    from sockctl.services.chat.members import Member

__all__ = ["Console", "Place", "Seat"]


class Place(ABC):
    """Where a member sits. Its state belongs to the thread in which its messages come.

    Attributes:
        member: Who sits there.
        framed: Whether it hears frames; else lines.
        room: The name of the room in which it speaks; empty where it is in none.
        post_encoded: Sends what others say, encoded for its wire; never waits.
        hears_all: Whether it hears every room, also those that its member isn't in.
    """

    __slots__ = ("framed", "hears_all", "member", "post_encoded", "room")

    def __init__(
        self, member: "Member", *, framed: bool, post_encoded: Callable[[bytes], None], hears_all: bool = False
    ) -> None:
        self.member = member
        self.framed = framed
        self.hears_all = hears_all
        self.room = ""
        self.post_encoded = post_encoded

    def tell(self, kind: str, text: str, **fields: Any) -> None:
        """Tell it something; never waits, and never makes it a slow reader."""
        self.reply(message(kind, text, **fields))

    @property
    @abstractmethod
    def address(self) -> str:
        """The IP address that it is at; empty for the server's terminal."""

    @abstractmethod
    def reply(self, one: Message) -> None:
        """Send what the chat itself says to it, as `tell` does."""

    @abstractmethod
    def post(self, one: Message) -> None:
        """Send what others say; never waits."""

    @abstractmethod
    def close(self, reason: DisconnectReason) -> None:
        """Let it go."""


class Seat(Place):
    """A member's connection.

    Attributes:
        peer: The connection.
        seen: The last id that it has seen before it came, by room: what is older is not told again.
        watched: Whether it goes on by reacting: before, its own thread may wait for the client.
        held: What it has said too fast, and what came after that.
        heard: Bytes that had come from it when it was looked at last.
        heard_at: When there were more than before, on the monotonic clock.
        pinged: Whether it was asked since then whether it is still there.
    """

    __slots__ = ("heard", "heard_at", "held", "peer", "pinged", "seen", "watched")

    def __init__(self, peer: Peer, member: "Member", *, seen: Mapping[str, int], now: float) -> None:
        super().__init__(member, framed=peer.hello is not None, post_encoded=peer.post_encoded)
        self.peer = peer
        self.seen = seen
        self.held: deque[Message] = deque()
        self.heard, self.heard_at, self.pinged = 0, now, False
        self.watched = False

    @property
    def address(self) -> str:
        """The client's IP address."""
        return self.peer.address

    def reply(self, one: Message) -> None:
        """Send what the chat itself says."""
        self.peer.send(one)

    def post(self, one: Message) -> None:
        """Send what others say."""
        self.peer.post(one)

    def close(self, reason: DisconnectReason) -> None:
        """End the connection; what is queued is still sent."""
        self.peer.close(reason)


class Console(Place):
    """The server's own terminal, where an operator reads along.

    Args:
        member: Who sits there.
        show: Shows a line; never waits.
    """

    __slots__ = ("_show",)

    def __init__(self, member: "Member", show: Callable[[str], None]) -> None:
        super().__init__(member, framed=False, post_encoded=self._show_lines, hears_all=True)
        self._show = show

    @property
    def address(self) -> str:
        """No address."""
        return ""

    def reply(self, one: Message) -> None:
        """Show what the chat itself says."""
        self._show(as_line(one))

    def post(self, one: Message) -> None:
        """Show what others say."""
        self._show(as_line(one))

    def close(self, reason: DisconnectReason) -> None:  # noqa: ARG002  whatever it is
        """Stay: the server's terminal can't be let go."""
        self._show("Ctrl-C ends the server.")

    def _show_lines(self, data: bytes) -> None:
        for line in data.decode().split("\r\n")[:-1]:
            self._show(line)
