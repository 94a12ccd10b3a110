"""Who is where, as a log tells it: rosters and entries in any order that can happen."""

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from sockctl.cluster.entry import Entry
from sockctl.events.base import Level
from sockctl.events.journal import Journal
from sockctl.services.chat.effects import Effects
from sockctl.services.chat.member import Member
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.settings import ChatLimits
from sockctl.services.chat.shared_members import SharedMembers
from sockctl.services.chat.shared_records import encode, encode_member
from sockctl.services.chat.shared_replica import Replica
from sockctl.services.chat.shared_sequencer import SharedSequencer
from sockctl.services.chat.shared_store import SharedStore
from tests.support.chat_room import Played
from tests.support.clock import NOON
from tests.support.list_log import ListLog, ListNode
from tests.support.running import MemorySink

LIMITS = ChatLimits()


class Stage:
    """A replica of the server ``own``, into which a test puts entries."""

    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.members = SharedMembers(find_reserved=lambda _name, _account: "", clock=lambda: 0.0, limits=LIMITS)
        node = ListNode(ListLog(), "own", _no_callbacks())
        store = SharedStore(node)
        self.rooms = RoomRegistry(fixed=[], stored={}, history=10, store=store, limits=LIMITS)
        effects = Effects(self.members, self.rooms, store.state)
        self.journal = Journal(MemorySink(), service="chat", level=Level.WARNING)
        effects.start(self.journal)
        self.reclaimed: list[Member] = []
        self.forsaken: list[Member] = []
        self.replica = Replica(
            self.members,
            self.rooms,
            effects,
            is_own="own".__eq__,
            reclaim=self.reclaimed.append,
            forsake=self.forsaken.append,
        )
        sequencer = SharedSequencer(node)
        sequencer.replica = self.replica
        self.replica.membership = Membership(self.members, self.rooms, sequencer, LIMITS)
        self.listener = Played("listener")
        self.rooms.set_listener(self.listener)

    def put(self, kind: str, node: str, **fields: Any) -> int:
        one = Entry(next(self.ids), kind, node, data=encode(fields))
        if kind == "roster":
            self.replica.take_roster(one)
        else:
            assert self.replica.apply(one)
        self.replica.read_id = one.id
        return one.id

    def come(self, name: str, node: str, *rooms: str, account: str = "", alone: bool = True) -> int:
        return self.put("came", node, **record(name, *rooms, account=account, alone=alone))

    def roster(self, node: str, read: int, *members: dict[str, Any]) -> None:
        self.put("roster", node, part=0, parts=1, read=read, members=list(members))

    @property
    def news(self) -> list[str]:
        """What was told since the last time."""
        told = [one["text"] for one in self.listener.messages]
        self.listener.data.clear()
        return told


def _no_callbacks() -> Any:
    return None


def record(name: str, *rooms: str, account: str = "", alone: bool = False) -> dict[str, Any]:
    member = Member(name, since=NOON, account=account)
    member.id = f"a:{account}" if account else f"g:{name}"
    return encode_member(member, addresses=[], rooms=list(rooms), alone=alone)


@pytest.fixture
def stage() -> Iterator[Stage]:
    one = Stage()
    yield one
    one.journal.close()


def test_members_come_enter_and_go(stage: Stage) -> None:
    stage.come("ann", "a")
    stage.put("enter", "a", m="g:ann", room="#lobby")
    stage.put("enter", "a", m="g:ann", room="#lobby")
    assert stage.news == ["ann joined #lobby."]
    stage.put("exit", "a", m="g:ann", room="#lobby", reason="left")
    stage.put("exit", "a", m="g:ann", room="#lobby", reason="left")
    assert stage.news == ["ann left #lobby (left)."]
    stage.put("enter", "a", m="g:ann", room="#games")
    stage.put("went", "a", m="g:ann", reason="connection lost")
    assert stage.news == ["ann joined #games.", "ann left #games (connection lost)."]
    assert stage.members.find("ann") is None
    stage.put("enter", "a", m="g:ann", room="#games")
    stage.put("went", "a", m="g:ann", reason="left")
    assert stage.news == []


def test_a_guest_is_at_one_server(stage: Stage) -> None:
    stage.come("ann", "a", "#lobby")
    stage.come("ann", "b")
    stage.put("went", "a", m="g:ann", reason="left")  # of the client that was replaced
    stage.put("gone", "a")
    assert stage.news == ["ann joined #lobby."]
    stage.put("gone", "b")
    assert stage.news == ["ann left #lobby (connection lost)."]


def test_a_name_is_free_as_soon_as_others_hear_that_its_member_left(stage: Stage) -> None:
    class Asking(Played):
        """A client that looks for ann whenever it is told something."""

        found: ClassVar[list[bool]] = []

        def post_encoded(self, data: bytes) -> None:
            super().post_encoded(data)
            self.found.append(stage.members.find("ann") is not None)

    stage.come("ann", "a", "#lobby")
    stage.rooms.set_listener(Asking("asking"))
    stage.put("gone", "a")
    assert Asking.found == [False]


def test_who_comes_is_where_all_have_heard_that_it_is(stage: Stage) -> None:
    """What a server tells of a member that comes to it: a server that is new has heard of no room yet."""
    stage.come("ann", "a", "#lobby")
    stage.put("enter", "a", m="g:ann", room="#games")
    ann = stage.members.find("ann")
    assert ann is not None
    assert stage.replica.list_entered(ann) == ["#lobby", "#games"]
    stage.put("went", "a", m="g:ann", reason="left")
    assert stage.replica.list_entered(ann) == []


def test_a_user_leaves_with_the_last_server(stage: Stage) -> None:
    for node in ("a", "b"):
        stage.come("ann", node, "#lobby", account="ann", alone=False)
    stage.put("went", "a", m="a:ann", reason="left")
    assert stage.news == ["ann joined #lobby."]
    stage.put("went", "b", m="a:ann", reason="left")
    assert stage.news == ["ann left #lobby (left)."]


def test_a_roster_tells_what_differs(stage: Stage) -> None:
    stage.come("ann", "a", "#lobby")
    read = stage.come("bob", "a", "#lobby")
    assert stage.news == ["ann joined #lobby.", "bob joined #lobby."]
    stage.roster("a", read, record("bob", "#games"), record("carl", "#lobby"))
    assert sorted(stage.news) == [
        "ann left #lobby (connection lost).",
        "bob joined #games.",
        "bob left #lobby (left).",
        "carl joined #lobby.",
    ]
    stage.roster("a", read, record("bob", "#games"), record("carl", "#lobby"))
    assert stage.news == []


def test_a_roster_of_countless_parts_waits_for_them(stage: Stage) -> None:
    stage.put("roster", "a", part=0, parts=10**12, read=1, members=[])
    stage.roster("a", 1, record("bob", "#games"))
    assert stage.news == ["bob joined #games."]


def test_what_happened_since_a_roster_was_made_counts(stage: Stage) -> None:
    read = stage.come("ann", "a", "#lobby")
    stage.come("bob", "a", "#lobby")  # on its way when the roster was made
    stage.come("ann", "b")
    assert stage.news == ["ann joined #lobby.", "bob joined #lobby."]
    stage.roster("a", read, record("ann", "#games"))
    stage.put("gone", "a")
    assert stage.news == ["bob left #lobby (connection lost)."]
    assert stage.members.find("ann") is not None


def test_a_new_name_outlives_an_older_roster(stage: Stage) -> None:
    read = stage.come("ann", "a", "#lobby")
    member = stage.members.find("ann")
    assert member is not None
    stage.put("renamed", "a", m=member.id, name="nan", account="")
    stage.roster("a", read, record("ann", "#lobby"))
    assert member.name == "nan"


def test_a_roster_in_parts_counts_when_it_is_complete(stage: Stage) -> None:
    first, second = record("ann", "#lobby"), record("bob", "#lobby")
    stage.put("roster", "a", part=1, parts=2, read=0, members=[second])  # the first part was lost
    stage.put("roster", "a", part=0, parts=2, read=0, members=[first])
    assert stage.news == []
    stage.put("roster", "a", part=0, parts=2, read=0, members=[first])
    stage.put("roster", "a", part=1, parts=2, read=0, members=[second])
    assert stage.news == ["ann joined #lobby.", "bob joined #lobby."]


def test_the_later_of_two_holders_of_a_name_has_it(stage: Stage) -> None:
    stage.come("ann", "a", "#lobby")
    other = {**record("ann", "#lobby", alone=True), "m": "g:other"}
    stage.put("came", "b", **other)  # the first one's server is dead, but not buried yet
    stage.put("gone", "a")
    found = stage.members.find("ann")
    assert found is not None
    assert found.id == "g:other"
    assert stage.rooms.open("#lobby").names == ["ann"]


def test_who_is_here_after_all_claims_its_name_again(stage: Stage) -> None:
    stage.come("ann", "own", "#lobby")
    member = stage.members.find("ann")
    assert member is not None
    assert stage.forsaken == [member]
    stage.members.hold(member.id)
    client = Played("ann", member=member)
    stage.members.attach(client)
    stage.put("went", "own", m=member.id, reason="left")
    assert stage.reclaimed == [member]
    assert stage.members.find("ann") is member
    stage.members.take_clients(member)
    stage.put("went", "own", m=member.id, reason="left")
    assert stage.members.find("ann") is None
    assert stage.members.find_departed("ann") is member
