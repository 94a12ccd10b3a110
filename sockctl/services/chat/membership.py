"""Membership: a member joins and leaves rooms, and all of its clients (connections) follow."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sockctl.errors import CommandError
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.protocol.messages import Message, make_message
from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.history import JOINING_BYTES
from sockctl.services.chat.member import NOTHING, Client, Member
from sockctl.services.chat.members import Members
from sockctl.services.chat.reasons import BANNED, KICKED, PING_TIMEOUT
from sockctl.services.chat.room import Room
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.sequencer import Sequencer
from sockctl.services.chat.settings import ChatLimits

_REASONS: dict[Reason | None, str] = {
    DisconnectReason.CLIENT_RESET: "connection lost",
    DisconnectReason.CLIENT_VANISHED: "connection lost",
    PING_TIMEOUT: "connection lost",
    DisconnectReason.SLOW_READER: "too slow to read along",
    KICKED: "put out",
    BANNED: "banned",
    DisconnectReason.FLOODING: "flooding",
}
"""Why a member left, for the other members; any other reason is private."""


class Membership:
    """Joins and leaves rooms for members and their clients. Any thread may use it; it never blocks."""

    def __init__(self, members: Members, rooms: RoomRegistry, sequencer: Sequencer, limits: ChatLimits) -> None:
        self._members = members
        self._rooms = rooms
        self._sequencer = sequencer
        self._max_joined = limits.max_joined

    def list_rooms_to_join(self, client: RemoteClient) -> list[str]:
        """Return the rooms for a new client: those of its member, now or before. The client speaks in the last one."""
        joined, seen = self._members.list_rooms(client.member), [*client.seen]
        rooms = dict.fromkeys([*(room for room in joined if room not in seen[-1:]), *seen])
        return [*rooms][: self._max_joined] or [self._rooms.first]

    def join_client(self, client: Client, name: str, *, speaks: bool = True, most_bytes: int = JOINING_BYTES) -> int:
        """Let a client hear a room, and its member join it if it hasn't.

        Args:
            client: The client.
            name: The room.
            speaks: Whether the client speaks there from now on; a client without a room does so anyway.
            most_bytes: The most bytes of history that the room sends to it.

        Returns:
            The bytes of history that the room will send to it.

        Raises:
            CommandError: There is no such room, and it can't be created; or the member is in too many.
        """
        rooms = self._members.list_rooms(client.member)
        if len(rooms) >= self._max_joined and name not in rooms:
            raise CommandError(f"You are in {self._max_joined} rooms: /leave one first.")
        room = self._rooms.open(name, by=client)
        new = self._members.join(client.member, name)  # another client may have joined for it just now
        if speaks or not client.room:
            client.room = name
        after = client.seen.pop(name, NOTHING) if isinstance(client, RemoteClient) else NOTHING
        then = None if client.room == name else _make_room_notice(client.room)
        told = self._sequencer.join(room, client, new=new, after=after, then=then, most_bytes=most_bytes)
        if name not in self._members.list_rooms(client.member):  # another client has left the room meanwhile
            room.leave(client, reason=None, then=partial(self._make_farewell([client], name), client))
            room.process_soon(client)
        return told

    def remove(self, client: Client, reason: Reason | None) -> None:
        """Remove a client, and its member if it has no other.

        Args:
            client: The client.
            reason: Why its connection ended; None where another one replaces it, or it wasn't let in after all.
        """
        gone, rooms = self._members.detach(client)
        shown = _REASONS.get(reason, "left") if gone else None
        self._sequencer.remove([*self._find_rooms(rooms)], client, is_last=gone, reason=shown)

    def join(self, client: Client, name: str) -> None:
        """Join a room for a member, at the request of one of its clients, which speaks there from now on.

        Raises:
            CommandError: As for `join_client`.
        """
        if name in self._members.list_rooms(client.member):
            self._members.join(client.member, name)  # as the one joined last
            client.room = name
            client.reply(_make_room_notice(name))
            return
        self.join_client(client, name)  # first: clients that are not watched yet find it among their rooms
        self.bring_clients([other for other in self._members.list_clients(client.member) if other is not client], name)

    def bring_clients(self, clients: Sequence[Client], name: str) -> None:
        """Let clients hear a room that their member has joined from another one.

        Raises:
            CommandError: There is no such room.
        """
        for each in clients:
            if each.is_backlogged:
                each.close(DisconnectReason.SLOW_READER)  # the room's history would exceed its outbox
            elif each.watched:
                self._bring_other_client(each, name)

    def _bring_other_client(self, client: Client, name: str) -> None:
        """Let a client hear a room that its member joined from another client; the client's own room stays."""
        self.join_client(client, name, speaks=False)
        room = self._rooms.find(name)
        if room is not None and client not in self._members.list_clients(client.member):  # it has gone meanwhile
            self._sequencer.remove([room], client, is_last=False, reason=None)

    def leave(self, client: Client, name: str) -> None:
        """Leave a room for a member, and tell all its clients.

        Raises:
            CommandError: The member isn't in that room.
        """
        member = client.member
        room = self._rooms.find(name)
        clients = self._members.leave(member, name)
        if clients is None:
            raise CommandError(f"You are not in {name}." if name else "You are in no room.")
        clients = [*(other for other in clients if other is not client), client]
        tell = self._make_farewell(clients, name, asked=client)
        if room is None:
            for each in clients:
                tell(each)
        else:
            self._sequencer.leave(room, clients, client, tell=tell)
            room.process_pending()

    def leave_elsewhere(self, member: Member, room: Room) -> None:
        """Let the clients of a member hear a room no more that the member has left on another server."""
        clients = self._members.leave(member, room.name) or ()
        tell = self._make_farewell(clients, room.name)
        for each in clients:
            room.leave(each, reason=None, then=partial(tell, each))

    def _make_farewell(
        self, clients: Sequence[Client], name: str, *, asked: Client | None = None
    ) -> Callable[[Client], None]:
        """Let the clients of a member speak in another room than the one that they left.

        Args:
            clients: The clients.
            name: The room that they left.
            asked: The client that asked for it.

        Returns:
            A function that tells one of them, when it has heard the last of that room.
        """
        told: dict[Client, list[Message]] = {}
        for each in clients:
            rooms = self._members.list_rooms(each.member)
            told[each] = [make_message("left", f"You left {name}.", room=name, name=each.member.name)]
            moves = each.room == name
            if moves:
                each.room = rooms[-1] if rooms else ""
            if each.room and (moves or each is asked):
                told[each].append(_make_room_notice(each.room))

        def tell(client: Client) -> None:
            send = client.reply if client is asked else client.post
            for one in told[client]:
                send(one)

        return tell

    def process_pending(self, client: Client) -> None:
        """Process now the queued events of a client's rooms."""
        for room in self._find_rooms(self._members.list_rooms(client.member)):
            room.process_pending()

    def _find_rooms(self, names: Sequence[str]) -> Iterator[Room]:
        return (room for name in names if (room := self._rooms.find(name)) is not None)


def _make_room_notice(name: str) -> Message:
    return make_message("notice", f"You speak in {name} now.", code="room", room=name)
