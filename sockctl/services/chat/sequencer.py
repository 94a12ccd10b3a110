"""Brings what others must hear into one order, and gives names.

A chat on one machine does both at once, in memory (`LocalSequencer`, `LocalNames`). A chat on several machines needs an
engine for it. Then the order is that of a log which all machines read.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from sockctl.protocol.messages import Message
from sockctl.protocol.names import check_name
from sockctl.services.chat.effects import Effect, Effects
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.members import Members, Renamed
from sockctl.services.chat.room import Room
from sockctl.stores.timestamps import format_timestamp, read_utc_clock

MAX_WAITING = 4_096
"""Characters that wait for other members' texts in the same round. The room sends longer texts at once: else the batch
for each member would grow with the number of speaking members, and exceed the capacity of an outbox.
"""


class Sequencer(Protocol):
    """Brings what others must hear into one order. Any thread may use it; it never blocks."""

    def say(
        self, room: Room, client: Client, texts: Sequence[str], spoken: Sequence[Message], *, action: bool = False
    ) -> None:
        """Say texts of a client's member in a room.

        Args:
            room: The room.
            client: The client.
            texts: The texts.
            spoken: The client's messages that have them, one each; empty ones between them count for nothing.
            action: Whether the texts say what the member does.
        """

    def say_block(self, room: Room, client: Client, lines: Sequence[str], spoken: Message) -> None:
        """Say the lines of a client's message `spoken` as one block."""

    def join(self, room: Room, client: Client, *, new: bool, after: int, then: Message | None, most_bytes: int) -> int:
        """Let a client hear a room, and tell the others if its member is new there; see `Room.join`."""

    def leave(self, room: Room, clients: Sequence[Client], by: Client, *, tell: Callable[[Client], None]) -> None:
        """Let the clients of a member hear a room no more, and tell the others.

        Args:
            room: The room.
            clients: The clients.
            by: The client that asked for it, the last one of them.
            tell: Called with each client when it has heard the last of the room.
        """

    def remove(self, rooms: Sequence[Room], client: Client, *, is_last: bool, reason: str | None) -> None:
        """Let a client hear some rooms no more.

        Args:
            rooms: The rooms.
            client: The client.
            is_last: Whether its member has no other client here.
            reason: Why its member leaves the chat with it, for the others; None if that is no news to them.
        """

    def flush(self, client: Client, then: Callable[[], None]) -> float:
        """Call `then` once all that a client has asked for has taken effect, from any thread.

        Returns:
            How long that may take, in seconds; 0 where it has taken effect: then nothing is called.
        """

    def order(self, effect: Effect, *, by: Client | None = None) -> None:
        """Carry an effect out, in its turn.

        Args:
            effect: The effect.
            by: The client whose command asks for it, which is told if that can't be done; None for none.
        """


class Arrival(NamedTuple):
    """A member that has its name, and waits for a client.

    Attributes:
        member: The member.
        replaced: Its clients so far, which must go.
        rooms: The rooms in which it was before it left.
    """

    member: Member
    replaced: Sequence[Client] = ()
    rooms: Sequence[str] = ()


class Names(Protocol):
    """Gives names. Conversations call it, and it may block there; only `rename` and `return_names` never block.

    The caller attaches a client to the member of an `Arrival` next.
    """

    def add_guest(self, member: Member, address: str) -> Arrival:
        """Add a guest under its name, with a client at an IP address.

        Raises:
            AnswerRefusedError: The name is taken, or looks like one that is.
        """

    def add_user(self, account: str, address: str, create: Callable[[], Member]) -> Arrival:
        """Return the member logged in as `account`; `create` creates it if it isn't here."""

    def resume_guest(self, token: str, name: str, address: str, create: Callable[[str], Member]) -> Arrival | None:
        """Return a token's guest; None for an unknown token.

        Args:
            token: The token.
            name: The name that the client had, as it says; empty for none.
            address: The client's IP address.
            create: Creates a member of a name, for a guest that left.

        Raises:
            AnswerRefusedError: The guest had left, and another member has the name now.
        """

    def is_replaced(self, member: Member) -> bool:
        """Return whether a member has a client elsewhere since its arrival, and may have none here."""

    def rename(self, client: Client, name: str) -> None:
        """Give a client's member another name.

        Raises:
            AnswerRefusedError: The name is taken, or looks like one that is.
        """

    def return_names(self) -> None:
        """Rename members whose name has become another user's account."""


class LocalSequencer:
    """Brings what others must hear into the order in which the rooms get it. It is a `Sequencer`."""

    def __init__(self, members: Members, effects: Effects) -> None:
        self._members = members
        self._effects = effects

    def say(
        self,
        room: Room,
        client: Client,
        texts: Sequence[str],
        spoken: Sequence[Message],  # noqa: ARG002  what a room has taken is said
        *,
        action: bool = False,
    ) -> None:
        """Say texts of a client's member in a room."""
        room.say(client, texts, format_timestamp(read_utc_clock()), action=action)
        if sum(map(len, texts)) > MAX_WAITING:
            room.process_pending()
        else:
            room.process_soon(client)

    def say_block(self, room: Room, client: Client, lines: Sequence[str], spoken: Message) -> None:  # noqa: ARG002
        """Say the lines of a client's message as one block."""
        room.say_block(client, lines, format_timestamp(read_utc_clock()))
        if sum(map(len, lines)) > MAX_WAITING:
            room.process_pending()
        else:
            room.process_soon(client)

    def join(self, room: Room, client: Client, *, new: bool, after: int, then: Message | None, most_bytes: int) -> int:
        """Let a client hear a room, and tell the others if its member is new there."""
        told = room.join(client, new=new, after=after, then=then, most_bytes=most_bytes)
        room.process_soon(client)
        return told

    def leave(self, room: Room, clients: Sequence[Client], by: Client, *, tell: Callable[[Client], None]) -> None:
        """Let the clients of a member hear a room no more, and tell the others."""
        for each in clients:  # `by` is the last: the others needn't hear that their own member left
            room.leave(each, reason="left" if each is by else None, then=partial(tell, each))

    def remove(
        self,
        rooms: Sequence[Room],
        client: Client,
        *,
        is_last: bool,  # noqa: ARG002  the registry of members has noted it
        reason: str | None,
    ) -> None:
        """Let a client hear some rooms no more. Its member stays there for a client that is about to come."""
        for room in rooms:
            room.leave(client, reason=reason, stays=partial(self._members.is_staying, client.member, room.name))
            room.process_soon(client)

    def flush(self, client: Client, then: Callable[[], None]) -> float:  # noqa: ARG002
        """Return 0: all takes effect at once."""
        return 0.0

    def order(self, effect: Effect, *, by: Client | None = None) -> None:  # noqa: ARG002  it always can
        """Carry an effect out."""
        self._effects.apply(effect)


class LocalNames:
    """Gives names in memory. It is a `Names`."""

    def __init__(self, members: Members, effects: Effects) -> None:
        self._members = members
        self._effects = effects

    def add_guest(self, member: Member, address: str) -> Arrival:  # noqa: ARG002
        """Add a guest under its name."""
        self._members.add_guest(member)
        return Arrival(member)

    def add_user(self, account: str, address: str, create: Callable[[], Member]) -> Arrival:  # noqa: ARG002
        """Return the member logged in as `account`."""
        member, renamed = self._members.add_user(account, create)
        self._tell(renamed)
        return Arrival(member)

    def resume_guest(self, token: str, name: str, address: str, create: Callable[[str], Member]) -> Arrival | None:
        """Return a token's guest. For an unknown token the name counts: the server may have restarted meanwhile."""
        found = self._members.resume_guest(token, create)
        if found is not None:
            return Arrival(*found)
        return self.add_guest(create(check_name(name)), address) if name else None

    def is_replaced(self, member: Member) -> bool:  # noqa: ARG002
        """Never: there is no other server."""
        return False

    def rename(self, client: Client, name: str) -> None:
        """Give a client's member another name."""
        member = client.member
        before = self._members.rename(member, name)
        if before != member.name:
            self._effects.announce_rename(member, before)

    def return_names(self) -> None:
        """Rename members whose name has become another user's account."""
        for member in self._members.list_all():
            if member.key != member.account:
                self._tell(self._members.displace(member))

    def _tell(self, renamed: Renamed | None) -> None:
        if renamed is not None:
            self._effects.announce_rename(renamed.member, renamed.before, account=renamed.account)
