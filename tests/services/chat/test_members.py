"""The registry of members: each name once, who comes back, and which name a user gets."""

import pytest

from sockctl.errors import CommandError, NameTakenError
from sockctl.protocol.names import make_name_key
from sockctl.services.chat.member import Member
from sockctl.services.chat.members import Members
from sockctl.services.chat.settings import ChatLimits
from tests.support.chat_room import Played
from tests.support.clock import NOON

LIMITS = ChatLimits(guest_token_s=600.0, max_departed=2)


class Stage:
    """Members, whose clock and accounts a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.accounts: set[str] = set()
        self.reserved: dict[str, str] = {}
        self.members = Members(find_reserved=self.find_reserved, clock=lambda: self.now, limits=LIMITS)

    def find_reserved(self, name: str, account: str) -> str:
        key = make_name_key(name)
        return key if key in self.accounts and key != account else self.reserved.get(name, "")

    def guest(self, name: str) -> Played:
        client = Played(name, member=Member(name, since=NOON))
        self.members.add_guest(client.member)
        self.members.attach(client)
        return client

    def user(self, account: str) -> Played:
        self.accounts.add(account)
        member, _ = self.members.add_user(account, lambda: Member(account, since=NOON, account=account))
        client = Played(account, member=member)
        self.members.attach(client)
        return client

    def resume(self, token: str) -> Member | None:
        resumed = self.members.resume_guest(token, lambda name: Member(name, since=NOON))
        return None if resumed is None else resumed[0]

    @property
    def names(self) -> list[str]:
        return [member.name for member in self.members.list_all()]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_each_name_once_in_any_case(stage: Stage) -> None:
    ann = stage.guest("Ann")
    with pytest.raises(NameTakenError):
        stage.guest("aNN")
    assert stage.members.find("ANN") is stage.members.get("ann") is ann.member
    assert stage.members.find("bob") is None
    with pytest.raises(CommandError, match="'bob'"):
        stage.members.get("bob")


def test_no_guest_has_the_name_of_a_user(stage: Stage) -> None:
    stage.accounts.add("ann")
    with pytest.raises(NameTakenError):
        stage.guest("ann")
    bob = stage.guest("bob").member
    with pytest.raises(NameTakenError):
        stage.members.rename(bob, "Ann")
    assert stage.members.rename(bob, "BOB") == "bob", "its own name in another case"
    assert stage.members.rename(bob, "carl") == "BOB"
    assert stage.names == ["carl"]
    assert stage.members.find("bob") is None


def test_a_squatter_never_gets_a_name_that_somebody_has(stage: Stage) -> None:
    ann, carl = stage.user("ann").member, stage.user("carl").member
    assert stage.members.rename(ann, "Bob") == "ann"
    stage.accounts = {"carl"}  # what no account can come to: its own name taken
    assert stage.members.rename(carl, "ann") == "carl"
    stage.accounts = {"ann", "bob", "carl"}
    assert stage.members.displace(ann) == (ann, "Bob", "bob")
    assert stage.names == ["ann-2", "ann"]
    assert stage.members.find("ann-2") is ann


def test_a_member_leaves_with_its_last_client(stage: Stage) -> None:
    first = stage.user("ann")
    second = stage.user("ann")
    assert second.member is first.member
    assert stage.members.list_clients(first.member) == [first, second]
    assert stage.members.detach(first) == (False, [])
    stage.members.join(first.member, "#tea")
    assert stage.members.detach(second) == (True, ["#tea"])
    assert stage.names == []
    assert stage.members.find_id(first.member.id) is None
    assert stage.members.find_departed("ANN") is first.member


def test_a_member_stays_while_another_client_of_it_arrives(stage: Stage) -> None:
    first = stage.user("ann")
    stage.members.add_user("ann", lambda: Member("never", since=NOON))
    assert stage.members.detach(first) == (False, [])
    stage.members.attach(Played("ann", member=first.member))
    assert stage.names == ["ann"]


def test_a_guest_comes_back_by_its_token(stage: Stage) -> None:
    ann = stage.guest("ann")
    token = ann.member.token
    assert stage.resume(token) is ann.member, "it is still here: another client takes over"
    again = Played("ann", member=ann.member)
    stage.members.attach(again)
    assert stage.members.list_clients(ann.member) == [again]
    assert stage.members.detach(ann) == (False, []), "a client that was taken over takes nobody along"
    stage.members.join(ann.member, "#tea")
    stage.members.detach(again)
    resumed = stage.members.resume_guest(token, lambda name: Member(name, since=NOON))
    assert resumed is not None
    assert (resumed[0].name, resumed[0].token, resumed[1], resumed[2]) == ("ann", token, [], ("#tea",))
    assert stage.names == ["ann"]
    assert stage.resume("junk") is None


def test_a_guest_whose_name_is_taken_meanwhile_does_not_come_back(stage: Stage) -> None:
    ann = stage.guest("ann")
    stage.members.detach(ann)
    stage.guest("Ann")
    with pytest.raises(NameTakenError):
        stage.resume(ann.member.token)


def test_who_left_is_forgotten_after_its_time(stage: Stage) -> None:
    ann, bob = stage.guest("ann"), stage.guest("bob")
    stage.members.detach(ann)
    stage.now += 400
    stage.members.detach(bob)
    stage.now += 300
    assert stage.resume(ann.member.token) is None
    stage.members.forget_departed()
    assert stage.members.find_departed("ann") is None
    assert stage.members.find_departed("bob") is bob.member


def test_so_many_departed_members_are_remembered(stage: Stage) -> None:
    clients = [stage.guest(name) for name in ("ann", "bob", "carl")]
    for client in clients:
        stage.members.detach(client)
    assert [stage.resume(client.member.token) is not None for client in clients] == [False, True, True]


def test_a_user_comes_back_with_its_preferences(stage: Stage) -> None:
    ann = stage.user("ann")
    ann.member.quiet = True
    stage.members.detach(ann)
    assert stage.user("ann").member.quiet


def test_a_user_gets_its_name_from_whoever_has_it(stage: Stage) -> None:
    guest = stage.guest("Ann")
    member, renamed = stage.members.add_user("ann", lambda: Member("ann", since=NOON, account="ann"))
    assert renamed == (guest.member, "Ann", "ann")
    assert stage.names == ["Ann-2", "ann"]
    assert stage.members.find_id(member.id) is member
    assert stage.members.find_id(guest.member.id) is guest.member


def test_a_new_account_takes_the_name_from_a_member(stage: Stage) -> None:
    ann, carl = stage.user("ann").member, stage.guest("carl").member
    stage.members.rename(ann, "bob")
    assert stage.members.displace(ann) is None
    stage.accounts |= {"bob", "carl"}
    assert stage.members.displace(ann) == (ann, "bob", "bob")
    assert stage.members.displace(carl) == (carl, "carl", "carl")
    assert sorted(stage.names) == ["ann", "carl-2"], "a user gets the account's name back"


def test_rooms_stand_in_the_order_in_which_they_were_joined(stage: Stage) -> None:
    ann = stage.guest("ann").member
    assert [stage.members.join(ann, room) for room in ("#tea", "#lobby", "#tea")] == [True, True, False]
    assert stage.members.list_rooms(ann) == ["#lobby", "#tea"]
    stage.members.leave(ann, "#lobby")
    stage.members.leave(ann, "#lobby")
    assert stage.members.list_rooms(ann) == ["#tea"]


def test_no_member_looks_like_another(stage: Stage) -> None:
    stage.guest("aca")
    with pytest.raises(NameTakenError, match="'аса' looks like aca, which is taken"):
        stage.guest("аса")
    ivan = stage.guest("Иван")
    with pytest.raises(NameTakenError, match="'АСА' looks like aca"):
        stage.members.rename(ivan.member, "АСА")
    stage.members.rename(ivan.member, "ИВАН")
    het = stage.guest("HET")
    net = stage.guest("нет")
    with pytest.raises(NameTakenError, match="'НЕТ' looks like HET"):
        stage.members.rename(net.member, "НЕТ")
    stage.members.detach(het)
    stage.members.rename(net.member, "НЕТ")
    assert stage.names == ["aca", "ИВАН", "НЕТ"]


def test_a_member_may_look_like_itself(stage: Stage) -> None:
    aca = stage.guest("aca")
    assert stage.members.rename(aca.member, "аса") == "aca"
    assert stage.members.rename(aca.member, "ACA") == "аса"
    with pytest.raises(NameTakenError):
        stage.guest("аса")
    stage.members.detach(aca)
    stage.guest("аса")


def test_a_user_whose_name_a_guest_looks_like_comes_in(stage: Stage) -> None:
    aca = stage.guest("aca")
    stage.user("аса")
    stage.reserved["aca"] = "аса"
    renamed = stage.members.displace(aca.member)
    assert renamed is not None
    assert (renamed.before, renamed.account, aca.member.name) == ("aca", "аса", "aca-2")
