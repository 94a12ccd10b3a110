"""The members of all servers in memory: what the log says of them takes effect here, on each server alike.

A member is at one server or several, its places. With the last place it departs, and may come back for a while. A
server's roster says whole who is there. It makes a new server's replica whole, and heals what a crash has lost.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sockctl.cluster.entry import Entry
from sockctl.errors import CommandError
from sockctl.services.chat.effects import Effects
from sockctl.services.chat.member import Member
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.reasons import TAKEN_OVER
from sockctl.services.chat.room_event import Enter, Exit, make_joined, make_left
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.shared_members import SharedMembers
from sockctl.services.chat.shared_records import decode, decode_member

LOST = "connection lost"
"""Why a member left whose server is gone."""


class Replica:
    """The members of all servers. The log's reader alone changes it.

    Args:
        members: The registry of members.
        rooms: The rooms.
        effects: Tells new names.
        is_own: Says whether a name is, or was, that of this server in the log.
        reclaim: Called with a member that has clients here, though the log says that it has left this server.
        forsake: Called with a member that has none here, though the log says that it has come.

    Attributes:
        membership: Lets clients follow their member.
        read_id: The id of the entry that takes effect now, or did last.
    """

    membership: Membership

    def __init__(
        self,
        members: SharedMembers,
        rooms: RoomRegistry,
        effects: Effects,
        *,
        is_own: Callable[[str], bool],
        reclaim: Callable[[Member], None],
        forsake: Callable[[Member], None],
    ) -> None:
        self._members = members
        self._rooms = rooms
        self._effects = effects
        self._is_own = is_own
        self._reclaim = reclaim
        self._forsake = forsake
        self.read_id = 0
        self._expected: dict[str, Member] = {}  # members for which this server claims a name; any thread adds
        self._places: dict[str, dict[str, int]] = {}  # of a member, each with the id of the entry that says so
        self._entered: dict[str, dict[str, None]] = {}  # the rooms of a member, as the others have heard
        self._evicted: dict[str, dict[str, bool]] = {}  # rooms of a member whose clients here an entry put out
        self._renamed: dict[str, int] = {}  # the id of the entry that gave a member its name
        self._parts: dict[str, list[dict[str, Any]]] = {}  # of rosters, by server
        self._handlers: Mapping[str, Callable[[Entry], None]] = {
            "came": self._come,
            "went": self._go,
            "gone": self._bury,
            "renamed": self._rename,
            "enter": self._enter,
            "exit": self._exit,
        }

    def apply(self, one: Entry) -> bool:
        """Let an entry take effect; return False if it says nothing of members."""
        handler = self._handlers.get(one.kind)
        if handler is not None:
            handler(one)
        return handler is not None

    def expect(self, member: Member) -> None:
        """Use this object for a member of its id that comes to this server, and is nowhere yet."""
        self._expected[member.id] = member

    def expect_no_more(self, member: Member) -> None:
        """Forget an object that was expected."""
        self._expected.pop(member.id, None)

    def is_here(self, member_id: str) -> bool:
        """Return whether this server is a place of the member of an id. Any thread may call it."""
        return any(map(self._is_own, list(self._places.get(member_id, ()))))

    def is_only_elsewhere(self, member_id: str) -> bool:
        """Return whether the member of an id is at another server, and not at this one. Any thread may call it."""
        places = list(self._places.get(member_id, ()))
        return bool(places) and not any(map(self._is_own, places))

    def has_entered(self, member: Member, room: str) -> bool:
        """Return whether all have heard that a member is in a room. Any thread may call it."""
        return room in self._entered.get(member.id, ())

    def list_entered(self, member: Member) -> list[str]:
        """Return the rooms in which a member is, as all have heard: a new server has not. Any thread may call it."""
        return list(self._entered.get(member.id, ()))

    def list_here(self) -> list[Member]:
        """Return the members of which this server is a place. Any thread may call it."""
        return [member for member in self._members.list_all() if self.is_here(member.id)]

    # Entries.

    def _come(self, one: Entry) -> None:
        record = decode_member(decode(one.data))
        member = self._bring(record.member, is_own=self._is_own(one.node))
        places = self._places.setdefault(member.id, {})
        if record.alone:
            places.clear()
            member.elsewhere = record.member.elsewhere if not self._is_own(one.node) else ()
            if not self._is_own(one.node):
                self._put_out(member)
        places[one.node] = one.id
        self._enter_rooms(member, record.rooms, is_own=self._is_own(one.node))
        is_awaited = member.id in self._expected or self._members.is_here(member)
        if self._is_own(one.node) and not is_awaited:
            self._forsake(member)

    def _put_out(self, member: Member) -> None:
        """Close the clients of a member that has come to another server."""
        for client in self._members.take_clients(member):
            self.membership.remove(client, None)
            client.close(TAKEN_OVER)

    def _go(self, one: Entry) -> None:
        fields = decode(one.data)
        member = self._members.find_id(fields["m"])
        if member is None:
            return
        places, is_own = self._places.setdefault(member.id, {}), self._is_own(one.node)
        if places.pop(one.node, None) is None and not is_own:
            return
        if not places:
            self._depart(member, fields["reason"])
        if is_own and self._members.is_here(member):
            self._reclaim(member)  # it has come again meanwhile

    def _bury(self, one: Entry) -> None:
        self._parts.pop(one.node, None)
        self._clear(one.node, but=(), until=one.id)

    def _rename(self, one: Entry) -> None:
        fields = decode(one.data)
        member = self._members.find_id(fields["m"])
        if member is not None:
            self._renamed[member.id] = one.id
            self._give_name(member, fields["name"], account=fields["account"])

    def _enter(self, one: Entry) -> None:
        fields = decode(one.data)
        member = self._members.find_id(fields["m"])
        if member is not None and self._places.get(member.id):
            self._enter_rooms(member, [fields["room"]], is_own=self._is_own(one.node))

    def _exit(self, one: Entry) -> None:
        fields = decode(one.data)
        member = self._members.find_id(fields["m"])
        if member is not None:
            self._exit_room(member, fields["room"], fields["reason"], follows=not self._is_own(one.node))

    # Rosters.

    def take_roster(self, one: Entry) -> bool:
        """Take a part of a server's roster; return whether the roster is complete, and has taken effect."""
        fields = decode(one.data)
        parts = self._parts.setdefault(one.node, [])
        if not fields["part"]:
            parts.clear()
        parts.append(fields)
        if len(parts) != fields["parts"] or [part["part"] for part in parts] != [*range(len(parts))]:
            return False
        del self._parts[one.node]
        records = [record for part in parts for record in part["members"]]
        if self._is_own(one.node):
            for record in records:
                self._take_own_record(record)
        else:
            until = min(part["read"] for part in parts)
            self._clear(one.node, but={record["m"] for record in records}, until=until)
            for record in records:
                self._take_record(record, one.node, until=until)
        return True

    def _take_record(self, fields: Mapping[str, Any], node: str, *, until: int) -> None:
        """Take what a server tells of a member of its own; it had read the log up to an entry."""
        record = decode_member(fields)
        places = self._places.setdefault(record.member.id, {})
        if not record.member.account and any(at > until for at in places.values()):
            return  # what happened since counts
        member = self._bring(record.member, is_own=False)
        places.setdefault(node, until)
        if self._renamed.get(member.id, 0) <= until:
            self._give_name(member, record.member.name)
        if not self.is_here(member.id):
            other = record.member
            member.away, member.ignored, member.quiet = other.away, other.ignored, other.quiet
        self._move(member, record.rooms, is_own=False)

    def _take_own_record(self, fields: Mapping[str, Any]) -> None:
        """Let those at this server hear where a member of its own is, too: its posting may have been lost."""
        record = decode_member(fields)
        member = self._members.find_id(record.member.id)
        if member is not None and self.is_here(member.id):
            self._move(member, record.rooms, is_own=True)

    def _move(self, member: Member, rooms: Sequence[str], *, is_own: bool) -> None:
        """Let a member be in the rooms that one of its servers names; in no others, if that is the only one."""
        if len(self._places[member.id]) == 1:
            for name in [*self._entered.get(member.id, ())]:
                if name not in rooms:
                    self._exit_room(member, name, "left", follows=not is_own)
        self._enter_rooms(member, rooms, is_own=is_own)

    def _clear(self, node: str, *, but: Iterable[str], until: int) -> None:
        """Let members be at a server no more, but those of some ids, and those that came after an entry."""
        for member_id in [one for one, places in self._places.items() if places.get(node, until + 1) <= until]:
            if member_id in but:
                continue
            places = self._places[member_id]
            del places[node]
            member = self._members.find_id(member_id)
            if member is not None and not places:
                self._depart(member, LOST)

    # Steps.

    def _bring(self, other: Member, *, is_own: bool) -> Member:
        """Return the member with the id of another object; add it if it is nowhere."""
        member = self._members.find_id(other.id)
        if member is None:
            member = (self._expected.pop(other.id, None) if is_own else None) or other
            self._members.keep(member)
        if not is_own:
            member.elsewhere = other.elsewhere
        return member

    def _give_name(self, member: Member, name: str, *, account: str = "") -> None:
        if member.name != name:
            before = self._members.name(member, name)
            self._effects.announce_rename(member, before, account=account)

    def _depart(self, member: Member, reason: str) -> None:
        """Let a member depart that has no place any more; with clients here, it keeps its rooms and claims its name."""
        goes = not self._members.is_here(member)
        if goes:
            self._members.drop(member)  # first: who hears that the member left may take its name at once
        for name in [*self._entered.get(member.id, ())]:
            self._tell_exit(member, name, reason)
        if goes:
            for table in (self._places, self._entered, self._renamed, self._evicted):
                table.pop(member.id, None)

    def _enter_rooms(self, member: Member, names: Iterable[str], *, is_own: bool = False) -> None:
        """Let a member be in rooms. What this server itself posted has been done here, and may be undone by now.

        So its clients follow only if another server's posting has put them out in between.
        """
        entered, evicted = self._entered.setdefault(member.id, {}), self._evicted.get(member.id, {})
        for name in names:
            was_evicted = evicted.pop(name, False)
            if name in entered:
                continue
            entered[name] = None
            room = self._rooms.bring(name)
            if (was_evicted or not is_own) and name not in self._members.list_rooms(member):
                self._members.join(member, name)
                with contextlib.suppress(CommandError):
                    self.membership.bring_clients(self._members.list_clients(member), name)
            room.enqueue(Enter(make_joined(member.name, name), member.author_key, member))
            room.process_pending()

    def _exit_room(self, member: Member, name: str, reason: str, *, follows: bool) -> None:
        if name not in self._entered.get(member.id, ()):
            return
        room = self._rooms.find(name)
        if follows and room is not None:
            if name in self._members.list_rooms(member):
                self._evicted.setdefault(member.id, {})[name] = True
            self.membership.leave_elsewhere(member, room)
        self._tell_exit(member, name, reason)

    def _tell_exit(self, member: Member, name: str, reason: str) -> None:
        self._entered[member.id].pop(name, None)
        room = self._rooms.find(name)
        if room is not None:
            room.enqueue(Exit(make_left(member.name, name, reason), member.author_key, member))
            room.process_pending()
