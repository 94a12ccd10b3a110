"""The members, by name, account and token; and those that left lately and may return."""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sockctl.errors import CommandError, NameTakenError
from sockctl.protocol.look_alikes import LookAlikes
from sockctl.protocol.names import MAX_NAME, make_name_key
from sockctl.services.chat.member import Client, Member, make_guest_id, make_user_id
from sockctl.services.chat.settings import ChatLimits


class Renamed(NamedTuple):
    """A member that had to give its name to a user, this name, and the user's, which is or looks like it."""

    member: Member
    before: str
    account: str


@dataclass(frozen=True, slots=True)
class _Departed:
    """A member that left and may return until a time on the monotonic clock."""

    member: Member
    until: float


class Members:
    """The registry of members: the one owner of names, and of each member's clients and rooms. Any thread may use it.

    A member is in a room as soon as `join` returns. The room's audience follows, in the order of the room's events.

    Args:
        find_reserved: Returns the account, of another user than the given one, that a name is or was, or looks like;
            empty where there is none.
        clock: Returns the monotonic time in seconds.
        limits: How long the registry remembers departed members, and how many.
    """

    def __init__(
        self, *, find_reserved: Callable[[str, str], str], clock: Callable[[], float], limits: ChatLimits
    ) -> None:
        self._find_reserved = find_reserved
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()  # guards the tables, and the clients and rooms of every member
        self._by_key: dict[str, Member] = {}
        self._looks = LookAlikes()  # of the same names
        self._by_id: dict[str, Member] = {}
        self._departed: dict[str, _Departed] = {}  # by id

    def list_all(self) -> list[Member]:
        """Return the members, in the order in which they came."""
        with self._lock:
            return list(self._by_id.values())

    def list_clients(self, member: Member) -> list[Client]:
        """Return the clients of a member."""
        with self._lock:
            return list(member.clients)

    def list_all_clients(self) -> list[Client]:
        """Return the clients of all members."""
        with self._lock:
            return [client for member in self._by_id.values() for client in member.clients]

    def list_addresses(self, member: Member) -> list[str]:
        """Return the IP addresses of a member's clients; none of the server's terminal."""
        own = [client.address for client in self.list_clients(member)]
        return list(dict.fromkeys(address for address in (*own, *member.elsewhere) if address))

    def list_rooms(self, member: Member) -> list[str]:
        """Return the rooms of a member, the one joined last at the end."""
        with self._lock:
            return list(member.rooms)

    def find(self, name: str) -> Member | None:
        """Return the member of that name, in any case; None if there is none."""
        return self._by_key.get(make_name_key(name))

    def get(self, name: str) -> Member:
        """Return the member of that name, in any case.

        Raises:
            CommandError: There is none.
        """
        member = self.find(name)
        if member is None:
            raise CommandError(f"Nobody here has the name {name!r}: /who lists who is here.")
        return member

    def find_id(self, member_id: str) -> Member | None:
        """Return the member of an id; None for one that left."""
        return self._by_id.get(member_id)

    def find_departed(self, name: str) -> Member | None:
        """Return the remembered member of that name or account that left last; None if there is none."""
        key = make_name_key(name)
        with self._lock:
            departed = (one.member for one in reversed(self._departed.values()))
            return next((member for member in departed if key in {member.key, member.account}), None)

    def find_departed_id(self, member_id: str) -> Member | None:
        """Return the remembered member of an id that has left; None if there is none."""
        with self._lock:
            return self._find_departed(member_id)

    # Arriving and leaving. The caller that adds or resumes a member calls `attach` next.

    def add_guest(self, member: Member) -> None:
        """Add a guest.

        Raises:
            NameTakenError: The name is taken, or looks like one that is.
        """
        with self._lock:
            self._claim_name(member, member.name)
            member.arriving += 1
            self._by_id[member.id] = member

    def add_user(self, account: str, create: Callable[[], Member]) -> tuple[Member, Renamed | None]:
        """Return the member logged in as `account`, and the member that had to give its name to it, if any.

        Args:
            account: The user's name.
            create: Creates the member if it isn't here.
        """
        with self._lock:
            member_id = make_user_id(account)
            member = self._by_id.get(member_id)
            renamed = None
            if member is None:
                renamed = self._displace(account, account)
                member = create()
                self._keep_name(member)  # a guest whose name only looks like it is renamed by `displace`
                self._by_id[member_id] = member
                if (departed := self._find_departed(member_id)) is not None:
                    member.restore(departed)
                    del self._departed[member_id]
            member.arriving += 1
            return member, renamed

    def resume_guest(
        self, token: str, create: Callable[[str], Member]
    ) -> tuple[Member, list[Client], Sequence[str]] | None:
        """Return a token's guest, its clients so far, and the rooms that it left when it departed; None for no guest.

        Args:
            token: The token.
            create: Creates a member of a name, for a guest that left.

        Raises:
            NameTakenError: The guest had left, and another member has the name now.
        """
        with self._lock:
            member_id = make_guest_id(token)
            member = self._by_id.get(member_id)
            if member is not None:
                clients, member.clients = member.clients, []
                member.arriving += 1
                return member, clients, ()
            departed = self._find_departed(member_id)
            if departed is None:
                return None
            member = create(departed.name)
            self._claim_name(member, departed.name)
            member.restore(departed)
            del self._departed[member_id]
            self._by_id[member_id] = member
            member.arriving += 1
            return member, [], tuple(departed.rooms)

    def attach(self, client: Client) -> None:
        """Attach a client to its member."""
        with self._lock:
            client.member.arriving -= 1
            client.member.clients.append(client)

    def detach(self, client: Client) -> tuple[bool, list[str]]:
        """Detach a client; return whether its member left with it, and the member's rooms."""
        member = client.member
        with self._lock:
            if client not in member.clients:
                return False, list(member.rooms)  # another client has taken over
            member.clients.remove(client)
            member.last_address = client.address
            if member.clients or member.arriving:
                return False, list(member.rooms)
            self._leave_with_last(member)
            return True, list(member.rooms)

    def _leave_with_last(self, member: Member) -> None:
        """Let a member depart whose last client has left."""
        self._depart(member)

    def _depart(self, member: Member) -> None:
        self._forget_name(member)
        self._by_id.pop(member.id, None)
        self._departed[member.id] = _Departed(member, self._clock() + self._limits.guest_token_s)
        if len(self._departed) > self._limits.max_departed:
            del self._departed[next(iter(self._departed))]

    def forget_departed(self) -> None:
        """Forget the members that left too long ago."""
        now = self._clock()
        with self._lock:
            while (first := next(iter(self._departed), None)) is not None and self._departed[first].until < now:
                del self._departed[first]  # they stand in the order in which they left

    # Rooms.

    def is_staying(self, member: Member, room: str) -> bool:
        """Return whether a member has a client, or waits for one, and is in a room."""
        with self._lock:
            return room in member.rooms and bool(member.clients or member.arriving)

    def join(self, member: Member, room: str) -> bool:
        """Note that a member has joined a room, last of all; return whether the room is new to it."""
        with self._lock:
            new = room not in member.rooms
            member.rooms.pop(room, None)
            member.rooms[room] = None
            return new

    def leave(self, member: Member, room: str) -> list[Client] | None:
        """Note that a member has left a room; return its clients, or None if it wasn't there."""
        with self._lock:
            if room not in member.rooms:
                return None
            del member.rooms[room]
            return list(member.clients)

    # Names.

    def rename(self, member: Member, name: str) -> str:
        """Give a member another name; return the one before.

        Raises:
            NameTakenError: The name is taken, or looks like one that is.
        """
        with self._lock:
            self._refuse_taken(name, member)
            return self._rename(member, name)

    def displace(self, member: Member) -> Renamed | None:
        """Rename a member whose name is another user's account now, or looks like it; return None if not."""
        with self._lock:
            account = self._find_reserved(member.name, member.account)
            squats = account and self._by_key.get(member.key) is member
            return self._displace(member.key, account) if squats else None

    def _find_departed(self, member_id: str) -> Member | None:
        departed = self._departed.get(member_id)
        return None if departed is None or departed.until < self._clock() else departed.member

    def _rename(self, member: Member, name: str) -> str:
        before = member.name
        self._forget_name(member)
        member.rename(name)
        self._keep_name(member)
        return before

    def _displace(self, key: str, account: str) -> Renamed | None:
        """Rename the member that has a name for the sake of a user: to its account's name, or to the next free one."""
        member = self._by_key.get(key)
        if member is None:
            return None
        return Renamed(member, self._rename(member, next(self._list_free_names(member))), account)

    def _list_free_names(self, member: Member) -> Iterator[str]:
        """Yield names for a member that must give its own away: its account's, and numbered ones."""
        own = member.account or member.name
        names = itertools.chain([own], (f"{own[: MAX_NAME - 8]}-{number}" for number in itertools.count(2)))
        return (name for name in names if make_name_key(name) != member.key and not self._find_taken(name, member))

    def _claim_name(self, member: Member, name: str) -> None:
        self._refuse_taken(name, member)
        self._keep_name(member)

    def _keep_name(self, member: Member) -> None:
        self._by_key[member.key] = member
        self._looks.add(member.name)

    def _forget_name(self, member: Member) -> None:
        if self._by_key.get(member.key) is member:  # else another one has claimed it meanwhile
            del self._by_key[member.key]
            self._looks.remove(member.name)

    def _refuse_taken(self, name: str, member: Member) -> None:
        taken = self._find_taken(name, member)
        if taken and make_name_key(taken) == make_name_key(name):
            raise NameTakenError(f"The name {name!r} is taken: choose another one.")
        if taken:
            raise NameTakenError(f"The name {name!r} looks like {taken}, which is taken: choose another one.")

    def _find_taken(self, name: str, member: Member) -> str:
        """Return the name of another member or user that a name is, or looks like; empty if it is free."""
        other = self._by_key.get(make_name_key(name), member)
        if other is not member:
            return other.name
        return self._looks.find(name, but={member.name}) or self._find_reserved(name, member.account)
