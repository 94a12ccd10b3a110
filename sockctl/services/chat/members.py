"""Who is here: names, which are unique without regard to case, and the places from which each member chats."""

import datetime
import itertools
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sockctl.errors import CommandError, NameTakenError
from sockctl.protocol.names import MAX_NAME, same_name_key
from sockctl.services.chat.clients import Client
from sockctl.services.chat.flood import FloodLimit

__all__ = ["GUEST_TOKEN_S", "Member", "Members", "Renamed"]

GUEST_TOKEN_S = 600.0
"""How long after a guest has left its token brings the name back; as long a user's wishes are remembered."""
MAX_LEFT = 10_000
"""Members who have left and are remembered; one more, and the one who left first is not any more."""


class Identity(NamedTuple):
    """By what a member is known, whatever name it has, and also when it has left and come back.

    Attributes:
        token: A guest's token; empty for a user.
        account: The user's name; empty for a guest.
        name: Under which name it was known then.
    """

    token: str
    account: str
    name: str


class Member:
    """Somebody who chats, from one place or several.

    Attributes:
        name: The name, as it was chosen.
        account: The user's name, for somebody who is logged in; else empty.
        operator: Whether it may do what operators may.
        since: When it came.
        places: Where it sits. Guarded by the lock of `Members`.
        expected: How many places are about to be taken: as long as there are any it can't be gone. Guarded as `places`.
        rooms: The names of the rooms that it is in, the one joined last at the end. Guarded as `places`.
        ignored: The keys of those that it doesn't want to hear.
        quiet: Whether it doesn't want to know who comes and goes.
        answers: To whom /reply goes: who wrote privately last.
        token: What brings a guest's name back.
        last_address: The IP address of the place that it left last; empty where it never left.
        flood: How fast it may speak; None where it may as it likes.
    """

    __slots__ = (
        "account",
        "answers",
        "expected",
        "flood",
        "ignored",
        "last_address",
        "name",
        "operator",
        "places",
        "quiet",
        "rooms",
        "since",
        "token",
    )

    def __init__(
        self,
        name: str,
        *,
        since: datetime.datetime,
        account: str = "",
        operator: bool = False,
        flood: FloodLimit | None = None,
    ) -> None:
        self.name = name
        self.account = account
        self.operator = operator
        self.since = since
        self.places: list[Client] = []
        self.expected = 0
        self.rooms: dict[str, None] = {}
        self.ignored: frozenset[str] = frozenset()
        self.quiet = False
        self.last_address = ""
        self.flood = flood
        self.answers: Identity | None = None
        self.token = "" if account else secrets.token_urlsafe(32)

    def go_on_as(self, before: "Member") -> None:
        """Be who has left, as far as it isn't a matter of places: what it has wished to hear, and who wrote to it."""
        self.token, self.flood = before.token, before.flood
        self.ignored, self.quiet, self.answers = before.ignored, before.quiet, before.answers

    @property
    def identity(self) -> Identity:
        """By what it is known, whatever name it has."""
        return Identity(self.token, self.account, self.name)

    @property
    def key(self) -> str:
        """What makes the name the same as another one."""
        return same_name_key(self.name)


class Renamed(NamedTuple):
    """A member that had to give its name to the user of that name, and the name that it had."""

    member: Member
    before: str


@dataclass(frozen=True, slots=True)
class _Left:
    """A member who has left and may come back, with what it has wished to hear and who wrote to it last."""

    member: Member
    until: float


class Members:
    """The members. Any thread may use it.

    Args:
        is_reserved: Says whether a name is or was somebody's account, who isn't the one of that account.
        clock: Returns the time in seconds; one that nobody sets.
    """

    def __init__(self, *, is_reserved: Callable[[str, str], bool], clock: Callable[[], float]) -> None:
        self._is_reserved = is_reserved
        self._clock = clock
        self._lock = threading.Lock()  # guards the tables, and the places and rooms of every member
        self._by_key: dict[str, Member] = {}
        self._by_account: dict[str, Member] = {}
        self._by_token: dict[str, Member] = {}
        self._left: dict[tuple[str, str], _Left] = {}  # by token and account, of which each has one

    def all(self) -> list[Member]:
        """Return the members, in the order in which they came."""
        with self._lock:
            return list(self._by_key.values())

    def find(self, name: str) -> Member | None:
        """Return the member of that name, in whatever case."""
        return self._by_key.get(same_name_key(name))

    def get(self, name: str) -> Member:
        """Return the member of that name, in whatever case.

        Raises:
            CommandError: There is none.
        """
        member = self.find(name)
        if member is None:
            raise CommandError(f"Nobody here has the name {name!r}: /who lists who is here.")
        return member

    def of(self, who: Identity) -> Member | None:
        """Return the member that somebody is now; None for one who has left."""
        with self._lock:
            return self._by_account.get(who.account) if who.account else self._by_token.get(who.token)

    def rooms_of(self, member: Member) -> list[str]:
        """Return the rooms that a member is in, the one joined last at the end."""
        with self._lock:
            return list(member.rooms)

    def places_of(self, member: Member) -> list[Client]:
        """Return where a member sits."""
        with self._lock:
            return list(member.places)

    def add(self, member: Member) -> None:
        """Add a guest, who is to `sit` next.

        Raises:
            NameTakenError: The name is taken.
        """
        with self._lock:
            self._take_name(member, member.name)
            member.expected += 1
            self._by_token[member.token] = member

    def of_account(self, account: str, make: Callable[[], Member]) -> tuple[Member, Renamed | None]:
        """Return the member who is logged in as `account`, and the one that had to give its name to it, if any did.

        It is made by `make`, and added, if it isn't here. A place of it is to `sit` next.
        """
        with self._lock:
            member = self._by_account.get(account)
            renamed = None
            if member is None:
                renamed = self._displaced(account)
                member = make()
                self._take_name(member, member.name)
                self._by_account[account] = member
                if (before := self._remembered("", account)) is not None:
                    member.go_on_as(before)
                    del self._left["", account]
            member.expected += 1
            return member, renamed

    def resume(self, token: str, make: Callable[[str], Member]) -> tuple[Member, list[Client], Sequence[str]] | None:
        """Return the guest to whom a token belongs, the places it is to lose, and the rooms it had left; or None.

        A place of it is to `sit` next.

        Args:
            token: The token.
            make: Makes a member of the name of a guest who has left.

        Raises:
            NameTakenError: It has left, and somebody else has the name by now.
        """
        with self._lock:
            member = self._by_token.get(token)
            if member is not None:
                places, member.places = member.places, []
                member.expected += 1
                return member, places, ()
            before = self._remembered(token, "")
            if before is None:
                return None
            member = make(before.name)
            self._take_name(member, before.name)
            member.go_on_as(before)
            del self._left[token, ""]
            self._by_token[token] = member
            member.expected += 1
            return member, [], tuple(before.rooms)

    def rename(self, member: Member, name: str) -> str:
        """Give a member another name; return the one before.

        Raises:
            NameTakenError: The name is taken.
        """
        with self._lock:
            if same_name_key(name) != member.key:
                self._refuse_taken(name, member)
            return self._rename(member, name)

    def displace(self, member: Member) -> Renamed | None:
        """Rename a member whose name is another one's account by now; None if it isn't."""
        with self._lock:
            squats = self._by_key.get(member.key) is member and self._is_reserved(member.key, member.account)
            return self._displaced(member.key) if squats else None

    def sit(self, place: Client) -> None:
        """Take note of a place that was expected."""
        with self._lock:
            place.member.expected -= 1
            place.member.places.append(place)

    def leave(self, place: Client) -> tuple[bool, list[str]]:
        """Take note that a place is empty; return whether its member is gone with it, and the rooms of that."""
        member = place.member
        with self._lock:
            if place not in member.places:
                return False, list(member.rooms)  # another one has taken it over
            member.places.remove(place)
            member.last_address = place.address
            if member.places or member.expected:
                return False, list(member.rooms)
            del self._by_key[member.key]
            self._by_account.pop(member.account, None)
            self._by_token.pop(member.token, None)
            self._left[member.token, member.account] = _Left(member, self._clock() + GUEST_TOKEN_S)
            if len(self._left) > MAX_LEFT:
                del self._left[next(iter(self._left))]
            return True, list(member.rooms)

    def left_lately(self, name: str) -> Member | None:
        """Return the member of that name who left last, of those that are remembered; the name may be an account's."""
        key = same_name_key(name)
        with self._lock:
            left = (one.member for one in reversed(self._left.values()))
            return next((member for member in left if key in {member.key, member.account}), None)

    def forget(self) -> None:
        """Forget those who have left too long ago."""
        now = self._clock()
        with self._lock:
            while (first := next(iter(self._left), None)) is not None and self._left[first].until < now:
                del self._left[first]  # they stand in the order in which they left

    def enter(self, member: Member, room: str) -> bool:
        """Take note that a member is in a room; return whether it wasn't."""
        with self._lock:
            new = room not in member.rooms
            member.rooms.pop(room, None)
            member.rooms[room] = None
            return new

    def exit(self, member: Member, room: str) -> None:
        """Take note that a member isn't in a room any more."""
        with self._lock:
            member.rooms.pop(room, None)

    def _remembered(self, token: str, account: str) -> Member | None:
        """Return who has left not too long ago."""
        left = self._left.get((token, account))
        return None if left is None or left.until < self._clock() else left.member

    def _rename(self, member: Member, name: str) -> str:
        before = member.name
        del self._by_key[member.key]
        member.name = name
        self._by_key[member.key] = member
        return before

    def _displaced(self, key: str) -> Renamed | None:
        """Rename whoever has a name: to its account's name, or to the next that is free."""
        member = self._by_key.get(key)
        if member is None:
            return None
        own = member.account or member.name
        names = itertools.chain([own], (f"{own[: MAX_NAME - 8]}-{number}" for number in itertools.count(2)))
        return Renamed(member, self._rename(member, next(name for name in names if not self._is_taken(name, member))))

    def _take_name(self, member: Member, name: str) -> None:
        self._refuse_taken(name, member)
        self._by_key[member.key] = member

    def _refuse_taken(self, name: str, member: Member) -> None:
        if self._is_taken(name, member):
            raise NameTakenError(f"The name {name!r} is taken: choose another one.")

    def _is_taken(self, name: str, member: Member) -> bool:
        key = same_name_key(name)
        return key in self._by_key or self._is_reserved(key, member.account)
