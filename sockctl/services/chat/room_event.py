"""The events of a room, as data: a message for all, and members that join, leave or are renamed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import Message, decode_message, encode_message, format_line, make_message
from sockctl.services.chat.commands import LOBBY
from sockctl.services.chat.history_entry import HistoryEntry
from sockctl.services.chat.member import Client, Member


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """A message, or several of one sender, encoded for both wires.

    Attributes:
        frame: The frames.
        line: The lines.
        sender: The client that said it, which receives no line for it; None where no client did.
        key: The author key of the member that the message is about.
        movement: Whether the message says that a member joined or left, which quiet members don't hear.
        block: The frame for clients that show blocks; empty where these receive `frame`, too.
        typing: Whether the message is a typing mark, which only clients that show it receive.
    """

    frame: bytes
    line: bytes
    sender: Client | None = None
    key: str = ""
    movement: bool = False
    block: bytes = b""
    typing: bool = False

    def select_bytes(self, client: Client) -> bytes:
        """Return the bytes for a client's wire; none where the client doesn't hear the event."""
        if not client.framed:
            return self.line
        if self.typing:
            is_told = client.shows_typing and client.member.author_key != self.key and not client.is_backlogged
            return self.frame if is_told else b""
        return self.block if self.block and client.shows_blocks else self.frame


class HeardText:
    """A text that a log has told, as a `RoomEvent`; its line is made only for clients that read lines."""

    __slots__ = ("_json", "frame", "key", "sender")
    movement = typing = False
    block = b""

    def __init__(self, json: bytes, *, sender: Client | None, key: str) -> None:
        self._json = json
        self.frame = len(json).to_bytes(4, "big") + json
        self.sender = sender
        self.key = key

    @property
    def line(self) -> bytes:
        """The line."""
        return f"{format_line(decode_message(self._json.decode()), unmarked_room=LOBBY)}\r\n".encode()

    def select_bytes(self, client: Client) -> bytes:
        """Return the bytes for a client's wire."""
        return self.frame if client.framed else self.line


Told = RoomEvent | HeardText
"""What members hear."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A client that joins or leaves, or a member that takes another name.

    Attributes:
        news: The message for the others; None where it isn't news to them.
        key: The author key of the member before.
    """

    news: Message | None
    key: str

    def encode(self) -> RoomEvent:
        """Return the event that tells the news; one without bytes for none."""
        return encode_event(self.news, key=self.key, movement=not isinstance(self, Rename))


@dataclass(frozen=True, slots=True)
class Join(Movement):
    """A client that hears the room from here on.

    Attributes:
        client: The client.
        history: The earlier messages that the room sends to it.
        missed: Whether it has missed more than these.
        then: The message that the room sends to it last; None for none.
        is_told: Whether its member is in the room; else an `Enter` follows.
    """

    client: Client
    history: Sequence[HistoryEntry]
    missed: bool
    then: Message | None
    is_told: bool = True


@dataclass(frozen=True, slots=True)
class Leave(Movement):
    """A client that doesn't hear the room any more.

    Attributes:
        client: The client.
        then: Called when the client has heard the last of the room; None for nothing.
        stays: Returns whether its member stays, even if no other client of it hears the room yet; None for no. The
            room asks when the event's turn comes: with another client, the member may have left meanwhile.
    """

    client: Client
    then: Callable[[], None] | None = None
    stays: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Enter(Movement):
    """A member that is in the room from here on, with clients on any server."""

    member: Member


@dataclass(frozen=True, slots=True)
class Exit(Movement):
    """A member that isn't in the room any more."""

    member: Member


@dataclass(frozen=True, slots=True)
class Rename(Movement):
    """A member that has another name. Its own `clients` hear of it in a large room, too."""

    clients: Collection[Client]


def make_joined(name: str, room: str) -> Message:
    """Return the news that a member has joined a room."""
    return make_message("joined", f"{name} joined {room}.", room=room, name=name)


def make_left(name: str, room: str, reason: str) -> Message:
    """Return the news that a member has left a room, and why."""
    return make_message("left", f"{name} left {room} ({reason}).", room=room, name=name, reason=reason)


def encode_for_wires(one: Message) -> tuple[bytes, bytes]:
    """Return a message as a frame and as a line."""
    return encode_frame(encode_message(one)), f"{format_line(one, unmarked_room=LOBBY)}\r\n".encode()


def encode_event(one: Message | None, *, key: str = "", movement: bool = False) -> RoomEvent:
    """Return the event that tells a message; one without bytes for none. `RoomEvent` explains the arguments."""
    frame, line = (b"", b"") if one is None else encode_for_wires(one)
    return RoomEvent(frame, line, key=key, movement=movement)
